"""`fapilog plugins new`: each kind of package passes its own tests, its lint and its validation at once."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fapilog.cli.plugin_tools.scaffold import KINDS, UnusableNameError, scaffold

PLUGINS = Path(__file__).parents[3] / "examples" / "plugins"
EXAMPLES = {
    "exporter": "json-lines",
    "processor": "health-checks",
    "enricher": "deployment-colour",
    "detector": "house-terms",
    "profile": "house-rules",
    "command": "show-level",
}


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    """Path and text of each file."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(folder)), path.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_has_an_entry_point_tests_a_readme_and_ci(kind, tmp_path):
    folder = scaffold(kind, "acme-thing", tmp_path)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    expected = {
        "pyproject.toml",
        "README.md",
        ".github/workflows/test.yml",
        "acme_thing/__init__.py",
        "acme_thing/py.typed",
        "tests/test_acme_thing.py",
    }
    assert files - {"acme_thing/profile.toml"} == expected
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert list(project["entry-points"]) == [KINDS[kind].group]
    assert "$" not in "".join(
        (folder / name).read_text() for name in expected if name.endswith((".py", "toml"))
    )


def test_the_examples_are_what_the_command_makes(tmp_path):
    for kind, name in EXAMPLES.items():
        made, example = scaffold(kind, name, tmp_path), PLUGINS / name
        assert dict(contents(made)) == dict(contents(example))


def test_the_tests_of_a_new_package_of_each_kind_pass_at_once(tmp_path):
    folders = [scaffold(kind, name, tmp_path) for kind, name in EXAMPLES.items()]
    environment = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
    }
    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull)
    said = run(tmp_path, "pytest", *options, *map(str, folders), **environment)
    assert "passed" in said
    for folder in folders:
        run(folder, "ruff", "check", "--isolated", "--no-cache", ".")
    run(tmp_path, "ruff", "format", "--isolated", "--no-cache", "--check", "--line-length", "110", ".")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_what_its_own_ci_runs(kind, tmp_path):
    folder = scaffold(kind, "acme-thing", tmp_path)
    assert "passed" in run(folder, "pytest", "-q", "-p", "no:cacheprovider")
    run(folder, "bandit", "--quiet", "--recursive", "acme_thing")
    code = "from fapilog.cli.main import main; main()"
    command = [sys.executable, "-c", code, "plugins", "validate", "."]
    subprocess.run(command, cwd=folder, check=True, timeout=110)


@pytest.mark.parametrize("name", ["", "Acme", "acme_thing", "../x", "-x", "x" * 31, "a--b"])
def test_a_name_that_no_package_can_have_is_refused(name, tmp_path):
    with pytest.raises(UnusableNameError):
        scaffold("enricher", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "acme").mkdir()
    with pytest.raises(FileExistsError):
        scaffold("enricher", "acme", tmp_path)
