"""Every fault on every way: the ledger adds up all the time, what is lost is counted, the caller goes on.

The faults are data (`table.py`); one judge says what is right (`judge.py`).
"""

import statistics
import time

import pytest

from tests.integration.faults.conftest import Identities
from tests.integration.faults.judge import judge, judge_the_end, lost, wait_until
from tests.integration.faults.scene import Scene, scene
from tests.integration.faults.table import FAULTS, Fate, Fault
from tests.servers.toxiproxy.control import Toxiproxy

# Under a fault that hangs, attempts end soon, or the test would not. Else they are not ended, however busy
# the machine is: that would send records twice. At the end they take far longer than a shutdown may.
SHORT_ATTEMPT_MILLIS = 300
ATTEMPT_MILLIS = 20_000
SHUTDOWN_MILLIS = 100
# What a shutdown may take beyond its deadline on a machine that does other things too; far below an attempt.
SLACK_SECONDS = 5.0
ALL_IN_TIME_MILLIS = 30_000
LOTS, LOT = 5, 20
# A caller that waited for the network would need a thousand times as long as one that does not.
TIMES_SLOWER, SLOWER_SECONDS = 50, 0.02

CELLS = [
    pytest.param(
        fault, way, id=f"{fault.name}-{way}", marks=[pytest.mark.toxiproxy] if fault.needs_proxy else []
    )
    for fault in FAULTS
    for way in fault.ways
]


@pytest.fixture
def network(request: pytest.FixtureRequest, fault: Fault) -> Toxiproxy | None:
    """Toxiproxy, where the fault needs it: all other cells run without Go."""
    return request.getfixturevalue("toxiproxy") if fault.needs_proxy else None


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


@pytest.mark.parametrize(("fault", "way"), CELLS)
def test_a_shutdown_under_the_fault_ends_in_time_and_counts_what_it_leaves(
    fault: Fault, way: str, network: Toxiproxy | None, identities: Identities
) -> None:
    with scene(fault, way, network, identities, ATTEMPT_MILLIS) as cell, cell.watch.watching():
        cell.application.log("before", LOTS, LOT)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        cell.begin()
        cell.application.log("during", LOTS, LOT)
        begun = time.monotonic()
        emptied = cell.provider.shutdown(SHUTDOWN_MILLIS)
        seconds = time.monotonic() - begun
        assert seconds < SHUTDOWN_MILLIS / 1_000 + SLACK_SECONDS
        side = cell.side()
        # False with nothing dropped: the last answers came between the deadline and the end.
        assert not emptied or not lost(side), side
        # While the fault is on: what it holds back must not reach the receiver before it is compared.
        arrived = cell.arrived()
        knows = fault.fate_on(way) in {Fate.WAIT, Fate.REJECTED} and not fault.answer_lost
        judge_the_end(cell.application, side, arrived, receiver_knows=knows)


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
