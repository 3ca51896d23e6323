"""`kill -9` in the middle of delivery and in an outage, with a spool: the next process delivers the rest."""

import signal
import time
from pathlib import Path

import pytest

from tests.integration.exporter_faults.destinations import DESTINATIONS, Destination
from tests.integration.exporter_faults.table import TABLE, Repeats
from tests.integration.harness import start

RECORDS = 300
WAIT_SECONDS = 60.0


def log_and_be_killed(destination: Destination, spool: Path, first: int) -> None:
    program = start("exporting.py", "", "log", str(first), str(RECORDS), **variables(destination, spool))
    assert program.stdout.readline() == "logged\n", program.stderr.read()
    program.send_signal(signal.SIGKILL)
    program.communicate(timeout=30)


def variables(destination: Destination, spool: Path) -> dict[str, str]:
    return {
        "FAPILOG_EXPORTERS": destination.name,
        "FAPILOG_SPOOL_DIRECTORY": str(spool / "spool"),
        "FAPILOG_RING_DIRECTORY": str(spool / "ring"),
        **destination.variables(),
    }


def wait_for(destination: Destination, numbers: set[int]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while missing := numbers - set(destination.numbers()):
        assert time.monotonic() < deadline, f"{len(missing)} are missing, such as {min(missing)}"
        time.sleep(0.02)


@pytest.mark.parametrize("name", list(DESTINATIONS))
def test_what_killed_processes_had_logged_arrives_from_the_next_one(name: str, tmp_path: Path) -> None:
    check_killed(DESTINATIONS[name]("killed"), tmp_path)


def check_killed(told: Destination, tmp_path: Path) -> None:
    """Kill two processes that log to it, the second while it is away, and let a third one deliver."""
    with told as destination:
        log_and_be_killed(destination, tmp_path, 0)
        destination.stop()
        log_and_be_killed(destination, tmp_path, RECORDS)
        destination.start()
        program = start("exporting.py", "", "recover", **variables(destination, tmp_path))
        try:
            wait_for(destination, set(range(-1, 2 * RECORDS)))
            out, err = program.communicate("end\n", timeout=60)
        finally:
            program.kill()
        assert out.split() == ["True", "0"], err
        arrived, uids = destination.numbers(), set(destination.uids())
    assert set(arrived) == set(range(-1, 2 * RECORDS))
    # What was in flight at a death may come twice, and is known by its uid.
    assert len(uids) == len(arrived)
    if TABLE[told.name]["killed"] is Repeats.REFUSED:
        assert arrived.total() == len(arrived)
