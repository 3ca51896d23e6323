"""However a process ends, exporters in Python get the last records and are shut down, and nothing hangs."""

import signal
import time

import pytest

from tests.integration.harness import finish, run, start

UNUSED = "http://127.0.0.1:9"
PROGRAM = "python_exporter.py"


@pytest.mark.parametrize(
    ("way", "status", "lines"),
    [
        ("return", 0, ["parent: one", "shut down"]),
        ("exception", 1, ["parent: one", "shut down"]),
        ("fork", 0, ["child: two", "child shut down", "parent: one", "shut down"]),
        ("quiet_fork", 0, ["parent: one", "shut down"]),
        ("multiprocessing", 0, ["child: two", "child shut down", "parent: one", "shut down"]),
    ],
)
def test_an_end_of_the_process_flushes_and_shuts_down(way: str, status: int, lines: list[str]):
    ended = run(PROGRAM, UNUSED, way)
    assert (ended.returncode, ended.stdout.splitlines()) == (status, lines), ended.stderr
    assert "Task was destroyed" not in ended.stderr
    assert "Exception" not in ended.stderr


def test_sigterm_flushes_and_ends_the_process_by_the_signal():
    process = start(PROGRAM, UNUSED, "sigterm")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.returncode, ended.stdout.splitlines()) == (-signal.SIGTERM, ["parent: one", "shut down"])
    assert ended.stderr == ""


@pytest.mark.parametrize(("way", "lines"), [("hang", ["shut down"]), ("block", ["parent: one"])])
def test_an_exporter_that_hangs_does_not_hold_the_end_for_long(way: str, lines: list[str]):
    begun = time.monotonic()
    ended = run(PROGRAM, UNUSED, way)
    assert time.monotonic() - begun < 15.0
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[: len(lines)] == lines
    assert "Task was destroyed" not in ended.stderr
    assert "1 records were not delivered before the process ended" in ended.stderr


def test_a_record_after_the_last_flush_is_counted_as_not_delivered():
    # Coverage's tracer of the delivery thread would keep the module's globals alive: no `__del__` would run.
    ended = run(PROGRAM, UNUSED, "late", COVERAGE_PROCESS_START="", COVERAGE_PROCESS_CONFIG="")
    assert (ended.returncode, ended.stdout.splitlines()) == (0, ["parent: one", "shut down"])
    assert "1 records were not delivered" in ended.stderr
