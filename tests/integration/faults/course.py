"""The course of one cell: records before, during and after the fault, and what must be so each time."""

import statistics
import time
from pathlib import Path
from typing import Any

from tests.integration.beside import wait_until
from tests.integration.faults.judge import judge
from tests.integration.faults.scene import Scene
from tests.integration.faults.table import SLOW_MILLIS, Fate, Fault

# Under a fault that hangs, attempts end soon, or the test would not. Else they are not ended, however busy
# the machine is: that would send records twice.
SHORT_ATTEMPT_MILLIS = 300
ATTEMPT_MILLIS = 20_000
ALL_IN_TIME_MILLIS = 30_000
LOTS, LOT = 5, 20
# Of ten requests, at least so many wait for each other under a fault that strains.
STRAINED_REQUESTS = 5
# A caller that waited for the network would need a thousand times as long as one that does not.
TIMES_SLOWER, SLOWER_SECONDS = 50, 0.02
# Where records wait: in memory alone, on disk too, or in a crash ring and on disk.
STORES = ("memory", "spool", "ring")


def attempt_millis(fault: Fault) -> int:
    """How long one attempt may take."""
    return SHORT_ATTEMPT_MILLIS if fault.hangs else ATTEMPT_MILLIS


def spool_of(store: str, directory: Path) -> Path | None:
    """The directory of a spool, for the stores that have one."""
    return None if store == "memory" else directory / "spool"


def ring_of(store: str, directory: Path) -> dict[str, Any]:
    """Settings of a crash ring, for the store that has one."""
    return {"durability": "process", "ring": {"directory": directory / "ring"}} if store == "ring" else {}


def run_course(cell: Scene) -> None:
    """Logs before, during and after the fault, with the ledger watched all the time, and judges the end."""
    with cell.watch.watching():
        cell.application.log("before", LOTS, LOT)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        cell.begin()
        before, began = cell.attempts(), time.monotonic()
        cell.application.log("during", LOTS, LOT)
        meet(cell, before)
        if cell.fault.strains:
            assert time.monotonic() - began > STRAINED_REQUESTS * SLOW_MILLIS / 1_000
        check_caller(cell)
        cell.end()
        cell.application.log("after", LOTS, LOT)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        fate, lost = cell.fault.fate_on(cell.way), cell.fault.answer_lost
        judge(fate, cell.application, cell.side(), cell.arrived(), answer_lost=lost)
        assert cell.provider.shutdown(ALL_IN_TIME_MILLIS)
    assert cell.watch.looks > 3
    assert cell.spool is None or not list(cell.spool.iterdir())


def meet(cell: Scene, attempts_before: float) -> None:
    """Waits until the records met the fault, and checks that they bear it as the table says."""
    wait_until(lambda: cell.attempts() > attempts_before, "an attempt under the fault")
    if cell.fault.fate_on(cell.way) is Fate.WAIT:
        assert not cell.provider.force_flush(1)
        if cell.spool is not None:
            wait_until(lambda: cell.side().spooled, "records on disk")
        side, before = cell.side(), len(cell.application.phases["before"])
        assert (side.delivered, side.rejected, side.pending > 0) == (before, 0, True), side
    else:
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        assert cell.side().pending == 0


def check_caller(cell: Scene) -> None:
    """All calls returned while the fault was on, and they took no longer than the ones before it."""
    assert cell.application.logged == 2 * LOTS * LOT
    usual, now = (statistics.median(cell.application.seconds[phase]) for phase in ("before", "during"))
    assert now < TIMES_SLOWER * usual + SLOWER_SECONDS, cell.application.seconds
