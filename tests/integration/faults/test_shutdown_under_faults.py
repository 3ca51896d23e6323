"""Every fault on every way when the application ends: in time, and what is left is counted."""

import time

import pytest

from tests.integration.faults.cells import CELLS
from tests.integration.faults.conftest import Identities
from tests.integration.faults.judge import judge_the_end, lost
from tests.integration.faults.scene import scene
from tests.integration.faults.table import Fate, Fault
from tests.servers.toxiproxy.control import Toxiproxy

# An attempt takes far longer than the shutdown may.
ATTEMPT_MILLIS = 20_000
SHUTDOWN_MILLIS = 100
# What a shutdown may take beyond its deadline on a machine that does other things too; far below an attempt.
SLACK_SECONDS = 5.0
ALL_IN_TIME_MILLIS = 30_000
LOTS, LOT = 5, 20


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
