"""A file is one idea and a function one step; what is longer says why in its head."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LIMIT_LINES = 450
FUNCTION_LIMIT_LINES = 60
# A module's head: its opening comment or docstring stands within these lines.
HEAD_LINES = 25
SKIPPED = {".venv", ".cache", "target", "build", "dist", "__pycache__"}


def source_files(suffix: str) -> list[Path]:
    """Return the repository's source files, without what was built."""
    found = (path for top in sorted(ROOT.iterdir()) if top.name not in SKIPPED for path in walk(top))
    return [path for path in found if path.suffix == suffix]


def walk(path: Path) -> Iterator[Path]:
    """Yield the files at and below a path, passing over built folders and hidden ones."""
    if path.is_file():
        yield path
    elif path.is_dir() and path.name not in SKIPPED and not path.name.startswith("."):
        for child in sorted(path.iterdir()):
            yield from walk(child)


PYTHON = source_files(".py")
SOURCES = PYTHON + source_files(".rs")


@functools.cache
def lines_of(path: Path) -> list[str]:
    """Return the lines of a source file."""
    return path.read_text(encoding="utf-8").splitlines()


def gives_a_reason(lines: list[str]) -> bool:
    """Tell whether a `reason:` with words behind it stands in these lines."""
    return any(line.partition("reason:")[2].strip() for line in lines)


@functools.cache
def functions(path: Path) -> list[tuple[str, int, list[str]]]:
    """Return (name, length, the lines where a reason may stand) of each function of a Python file.

    A reason stands in the comment above the function or in its docstring's first lines.
    """
    lines = lines_of(path)
    found = []
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start, end = node.lineno, node.end_lineno or node.lineno
            name = f"{path.relative_to(ROOT)}::{node.name}"
            found.append((name, end - start + 1, lines[max(0, start - 6) : node.body[0].lineno + 10]))
    return found


def test_a_long_file_gives_its_reason():
    silent = [
        f"{path.relative_to(ROOT)}: {len(lines)} lines"
        for path in SOURCES
        if len(lines := lines_of(path)) > FILE_LIMIT_LINES and not gives_a_reason(lines[:HEAD_LINES])
    ]
    assert silent == [], f"split these, or write 'reason: ...' within the first {HEAD_LINES} lines"


def test_a_long_python_function_gives_its_reason():
    silent = [
        f"{name}: {length} lines"
        for path in PYTHON
        for name, length, head in functions(path)
        if length > FUNCTION_LIMIT_LINES and not gives_a_reason(head)
    ]
    assert silent == [], "split these, or write 'reason: ...' in the docstring or the comment above"


def test_the_longest_files_and_functions_are_reported(capsys: pytest.CaptureFixture[str]):
    files = sorted(((len(lines_of(path)), str(path.relative_to(ROOT))) for path in SOURCES), reverse=True)
    steps = sorted(((length, name) for path in PYTHON for name, length, _ in functions(path)), reverse=True)
    assert files, "no source file was found"
    assert steps, "no function was found"
    with capsys.disabled():
        print(f"\nlongest files: {', '.join(f'{name} {length}' for length, name in files[:3])}")
        print(f"longest functions: {', '.join(f'{name} {length}' for length, name in steps[:3])}")
