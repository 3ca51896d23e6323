"""Every fault on every way: the ledger adds up all the time, what is lost is counted, the caller goes on.

The faults are data (`table.py`); one judge says what is right (`judge.py`).
"""

import statistics

import pytest

from tests.integration.faults.cells import CELLS
from tests.integration.faults.conftest import Identities
from tests.integration.faults.judge import judge, wait_until
from tests.integration.faults.scene import Scene, scene
from tests.integration.faults.table import Fate, Fault
from tests.servers.toxiproxy.control import Toxiproxy

# Under a fault that hangs, attempts end soon, or the test would not. Else they are not ended, however busy
# the machine is: that would send records twice.
SHORT_ATTEMPT_MILLIS = 300
ATTEMPT_MILLIS = 20_000
ALL_IN_TIME_MILLIS = 30_000
LOTS, LOT = 5, 20
# A caller that waited for the network would need a thousand times as long as one that does not.
TIMES_SLOWER, SLOWER_SECONDS = 50, 0.02


@pytest.mark.parametrize(("fault", "way"), CELLS)
def test_after_the_fault_everything_is_delivered_or_counted(
    fault: Fault, way: str, network: Toxiproxy | None, identities: Identities
) -> None:
    attempt = SHORT_ATTEMPT_MILLIS if fault.hangs else ATTEMPT_MILLIS
    with scene(fault, way, network, identities, attempt) as cell, cell.watch.watching():
        cell.application.log("before", LOTS, LOT)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        cell.begin()
        before = cell.attempts()
        cell.application.log("during", LOTS, LOT)
        meet(cell, before)
        check_caller(cell)
        cell.end()
        cell.application.log("after", LOTS, LOT)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        judge(
            fault.fate_on(way), cell.application, cell.side(), cell.arrived(), answer_lost=fault.answer_lost
        )
        assert cell.provider.shutdown(ALL_IN_TIME_MILLIS)
    assert cell.watch.looks > 3


def meet(cell: Scene, attempts_before: float) -> None:
    """Waits until the records met the fault, and checks that they bear it as the table says."""
    wait_until(lambda: cell.attempts() > attempts_before, "an attempt under the fault")
    if cell.fault.fate_on(cell.way) is Fate.WAIT:
        assert not cell.provider.force_flush(1)
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
