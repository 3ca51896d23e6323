"""Every fault on every way when the application ends: in time, and what is left is counted, or on disk."""

import time
from pathlib import Path

import pytest

from tests.integration.faults.cells import CELLS
from tests.integration.faults.conftest import Identities
from tests.integration.faults.course import STORES, ring_of, spool_of
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


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("fault", "way"), CELLS)
def test_a_shutdown_under_the_fault_ends_in_time_and_counts_what_it_leaves(
    fault: Fault, way: str, store: str, network: Toxiproxy | None, identities: Identities, tmp_path: Path
) -> None:
    spool, ring = spool_of(store, tmp_path), ring_of(store, tmp_path)
    with (
        scene(fault, way, network, identities, ATTEMPT_MILLIS, spool, **ring) as cell,
        cell.watch.watching(),
    ):
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
        # A spool keeps everything: nothing may be lost at all, and what is pending is there.
        assert side.spooled == side.pending, side
        assert spool is None or not lost(side), side
        # While the fault is on: what it holds back must not reach the receiver before it is compared.
        arrived = cell.arrived()
        knows = fault.fate_on(way) in {Fate.WAIT, Fate.REJECTED} and not fault.answer_lost
        judge_the_end(cell.application, side, arrived, receiver_knows=knows)
