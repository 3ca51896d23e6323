"""The public face is one screen, and it changes only together with its committed list."""

import json
import subprocess
import sys
from pathlib import Path

import fapilog

COMMITTED = (Path(__file__).with_name("public_api.txt")).read_text(encoding="utf-8").split()
HEAVY = (
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "typer",
    "opentelemetry.sdk",
    "opentelemetry.exporter",
)


def test_all_equals_the_committed_list():
    assert sorted(fapilog.__all__) == sorted(COMMITTED)


def test_the_committed_list_is_sorted_and_names_nothing_twice():
    assert sorted(set(COMMITTED)) == COMMITTED


def test_every_public_name_can_be_imported():
    missing = [name for name in COMMITTED if not hasattr(fapilog, name)]
    assert missing == []


def test_dir_offers_every_public_name():
    assert set(COMMITTED) <= set(dir(fapilog))


def test_the_package_head_fits_on_a_few_screens():
    lines = Path(fapilog.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120


def test_import_loads_neither_pydantic_nor_typer_nor_the_sdk(tmp_path: Path):
    script = (
        "import json, sys; before = set(sys.modules); import fapilog; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = json.loads(child.stdout)
    heavy = [name for name in loaded if any(name == head or name.startswith(f"{head}.") for head in HEAVY)]
    assert "fapilog" in loaded
    assert heavy == []
