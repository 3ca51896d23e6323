"""The core is plain Rust: only native/src/python/ knows an interpreter."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
DOOR = NATIVE / "src" / "python"
CORE = sorted(
    path
    for folder in ("src", "tests")
    for path in (NATIVE / folder).rglob("*.rs")
    if DOOR not in path.parents
)


def code_lines(path: Path) -> list[tuple[int, str]]:
    """Return numbered lines without `//` comments; prose may mention PyO3."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(number, line.split("//", 1)[0]) for number, line in enumerate(lines, 1)]


def test_the_core_is_found():
    assert NATIVE / "src" / "lib.rs" in CORE


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(NATIVE)))
def test_a_core_module_does_not_name_pyo3(path: Path):
    named = [f"{number}: {line}" for number, line in code_lines(path) if re.search(r"\bpyo3\b", line)]
    if path == NATIVE / "src" / "lib.rs":
        named = [line for line in named if "#[cfg" not in line]
    assert named == []


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(NATIVE)))
def test_a_core_module_does_not_use_the_python_door(path: Path):
    uses = [f"{number}: {line}" for number, line in code_lines(path) if "crate::python" in line]
    assert uses == []
