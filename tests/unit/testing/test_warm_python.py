"""A program in a fork of the warm interpreter is a program of its own."""

import os
from pathlib import Path

import pytest

from tests.contract.warm_python import WarmPython, warm_python

ENVIRONMENT = {"PATH": os.environ["PATH"], "NAMED": "value"}
CODE = """
import atexit, os, sys, threading
import fapilog
fapilog.left_behind = True
atexit.register(print, "at exit")
threading.Timer(0.01, print, ["a thread"]).start()
print(__name__, sys.argv, os.getcwd() == os.path.realpath(sys.argv[1]), sorted(os.environ))
print("an error", file=sys.stderr)
"""


@pytest.fixture
def warm() -> WarmPython:
    return warm_python()


def test_it_has_its_own_main_arguments_folder_environment_and_end(warm: WarmPython, tmp_path: Path) -> None:
    done = warm.run(["-c", CODE, str(tmp_path)], tmp_path, ENVIRONMENT, 60)
    said = f"__main__ ['-c', '{tmp_path}'] True ['NAMED', 'PATH']\nan error\na thread\nat exit\n"
    assert (done.returncode, done.stdout) == (0, said)


def test_it_leaves_nothing_to_the_next_one(warm: WarmPython, tmp_path: Path) -> None:
    warm.run(["-c", CODE, str(tmp_path)], tmp_path, ENVIRONMENT, 60)
    code = "import fapilog; print(hasattr(fapilog, 'left_behind'))"
    assert warm.run(["-c", code], tmp_path, ENVIRONMENT, 60).stdout == "False\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [("import sys; sys.exit(3)", 3), ("raise ValueError", 1), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_it_ends_with_its_own_status(warm: WarmPython, tmp_path: Path, code: str, status: int) -> None:
    assert warm.run(["-c", code], tmp_path, ENVIRONMENT, 60).returncode == status


def test_one_that_does_not_end_is_killed_and_the_next_one_runs(warm: WarmPython, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        warm.run(["-c", "import time; time.sleep(60)"], tmp_path, ENVIRONMENT, 0.2)
    assert warm.run(["-c", "print(1)"], tmp_path, ENVIRONMENT, 60).stdout == "1\n"


def test_files_and_modules_run_as_from_the_command_line(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    (tmp_path / "program.py").write_text("import sys, beside; print(__name__, beside.NAME, sys.argv[1:])")
    for arguments in (["program.py", "a"], ["-m", "program", "a"]):
        done = warm.run(arguments, tmp_path, ENVIRONMENT, 60)
        assert (done.returncode, done.stdout) == (0, "__main__ beside ['a']\n")
