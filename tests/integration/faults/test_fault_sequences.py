"""One fault after another, in random order, while records flow: nothing is lost that is not counted."""

import random
import time
from dataclasses import replace

import pytest

from tests.integration.beside import wait_until
from tests.integration.faults.conftest import Identities
from tests.integration.faults.flow import flow
from tests.integration.faults.scene import scene
from tests.integration.faults.table import EVERY_WAY, FAULTS, Fate, Peer
from tests.servers.toxiproxy.control import Toxiproxy

# Ends what hangs. An attempt that a busy machine serves slowly has to stay below it, or it never succeeds.
ATTEMPT_MILLIS = 500
ALL_IN_TIME_MILLIS = 60_000
STEPS, LONG_STEPS = 12, 200
# Larger blocks than in the matrix: what piled up has to leave in the end.
BUFFER = {"max_block_records": 100}
# As many as a machine logs in a long step that does nothing else. On a busy one steps last longer, and the
# receiver decodes what is logged one by one.
STEP_RECORDS = 600
# How long a step lasts: most are over before an attempt that hangs is.
STEP_SECONDS = (0.002, 0.08)
# What can be switched on and off behind one proxy, and takes nothing that it did not take.
USABLE = [
    fault
    for fault in FAULTS
    if fault.peer is Peer.NONE
    and fault.connections is None
    and fault.fate in {Fate.WAIT, Fate.PASS, Fate.REJECTED}
]
SEEDS = [1, 2, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 13))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", EVERY_WAY)
def test_faults_one_after_another_lose_nothing_that_is_not_counted(
    way: str, seed: int, toxiproxy: Toxiproxy, identities: Identities
) -> None:
    chance = random.Random(f"{way} {seed}")
    usable = [fault for fault in USABLE if way in fault.ways]
    through_proxy = next(fault for fault in usable if fault.needs_proxy)
    with (
        scene(through_proxy, way, toxiproxy, identities, ATTEMPT_MILLIS, buffer=BUFFER) as cell,
        cell.watch.watching(),
    ):
        told: list[str] = []
        with flow(cell.application, lambda: STEP_RECORDS * len(told)):
            for _ in range(STEPS if seed < 3 else LONG_STEPS):
                step = replace(cell, fault=chance.choice(usable))
                told.append(step.fault.name)
                step.begin()
                time.sleep(chance.uniform(*STEP_SECONDS))
                step.end()
                if chance.random() < 0.3:
                    cell.provider.force_flush(chance.randrange(50))
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), (str(cell.watch.look()), told)
        side = cell.side()
        wait_until(lambda: cell.side().pending == 0, "everything decided")
        arrived, logged = cell.arrived(), cell.application.logged
        missing = set(range(logged)) - set(arrived.times)
        assert (side.accepted, side.delivered + side.rejected) == (logged, logged), (side, told)
        # One whose answer was lost may be refused the second time, and was received all the same.
        assert len(missing) <= side.rejected, (len(missing), side, told)
        assert set(arrived.times) <= set(range(logged))
        arrived.check_order()
