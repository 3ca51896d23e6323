"""The run on other releases of OpenTelemetry: it pins what it says, and the tests that it names exist."""

import re
from pathlib import Path

import pytest

from tests.contract.snippets import ROOT
from tools import sdk_matrix


def test_the_floor_pins_every_package_of_opentelemetry_to_the_lowest_release():
    lines = ["opentelemetry-sdk>=1.45", "opentelemetry-instrumentation>=0.66b0", "pytest>=9"]
    assert sdk_matrix.at_the_floor([*lines, "opentelemetry-instrumentation-fastapi>=0.66b1"]) == [
        "opentelemetry-semantic-conventions==0.66b0",
        "opentelemetry-sdk==1.45.0",
        "opentelemetry-instrumentation==0.66b0",
        "pytest>=9",
        "opentelemetry-instrumentation-fastapi==0.66b0",
    ]


def test_the_floor_of_the_project_is_an_exact_release():
    pinned = [line for line in sdk_matrix.at_the_floor(sdk_matrix.requirements()) if "opentelemetry" in line]
    assert [line for line in pinned if not re.fullmatch(r"[a-z-]+==(1\.45\.0|0\.66b0)", line)] == []


@pytest.mark.parametrize("name", [*sdk_matrix.TESTS, *sdk_matrix.CHOSEN])
def test_what_is_run_exists(name: str):
    path = ROOT / "tests" / name
    assert path.exists()
    chosen = sdk_matrix.CHOSEN.get(name, ())
    assert [test for test in chosen if f"def {test}(" not in path.read_text(encoding="utf-8")] == []


def test_an_environment_takes_over_all_but_opentelemetry_and_ours_and_scripts_name_their_new_interpreter(
    tmp_path: Path,
):
    old, new = tmp_path / "old", tmp_path / "new"
    for home in (old, new):
        (home / "lib/python3.12/site-packages").mkdir(parents=True)
        (home / "bin").mkdir()
    for name in ("opentelemetry-sdk", "fapilog-syslog", "serve"):
        module = name.replace("-", "_")
        packages = old / "lib/python3.12/site-packages"
        (packages / f"{module}.py").write_text("")
        (packages / f"{module}-1.dist-info").mkdir()
        (packages / f"{module}-1.dist-info/METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        record = f"{module}.py,,\n../../../bin/{name},,\n{module}-1.dist-info/METADATA,,\ngone.pyc,,\n"
        (packages / f"{module}-1.dist-info/RECORD").write_text(record)
        (old / "bin" / name).write_text(f"#!{old}/bin/python\n")
        (old / "bin" / name).chmod(0o755)
    sdk_matrix.take_over(old, new)
    found = sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file())
    packages_of_new = "lib/python3.12/site-packages"
    assert found == [
        "bin/serve",
        f"{packages_of_new}/serve-1.dist-info/METADATA",
        f"{packages_of_new}/serve.py",
    ]
    assert (new / "bin/serve").read_text() == f"#!{new}/bin/python\n"
    assert (new / "bin/serve").stat().st_mode & 0o777 == 0o755
