"""C libraries of `programs/` that stand between a program under test and the system, for LD_PRELOAD."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.harness import PROGRAMS

COMPILER = shutil.which("cc")
NEEDS_COMPILER = pytest.mark.skipif(COMPILER is None, reason="no C compiler, which makes the disk")


def compiled(name: str, directory: Path) -> str:
    """Compiles the source `name`; returns the library's path."""
    library = directory / f"{name}.so"
    source = str(PROGRAMS / f"{name}.c")
    command = [str(COMPILER), "-shared", "-fPIC", "-o", str(library), source, "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return str(library)
