"""The faults that the goals name, over HTTP and gRPC, in memory, with a spool and with a crash ring.

`make test-faults` has all faults on all ways.
"""

from pathlib import Path

import pytest

from tests.integration.faults.cells import cells
from tests.integration.faults.conftest import Identities
from tests.integration.faults.course import STORES, attempt_millis, ring_of, run_course, spool_of
from tests.integration.faults.scene import scene
from tests.integration.faults.table import FAULTS, GRPC, PROTOBUF, Fault, Peer
from tests.servers.toxiproxy.control import Toxiproxy

GOALS = {
    "refused": "refused",
    "reset mid-body": "reset mid-request",
    "slow": "long line",
    "429 and Retry-After": "429 in an hour, in seconds",
    "503": "503",
    "413": "413 for every size",
    "400": "400",
    "partial success": "partial success",
    "half-open": "half open",
    "bad TLS": f"TLS: {Peer.WRONG_AUTHORITY.value}",
}
NAMED = [fault for fault in FAULTS if fault.name in GOALS.values()]


def test_every_fault_of_the_goals_is_in_the_table() -> None:
    assert sorted(fault.name for fault in NAMED) == sorted(GOALS.values())


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("fault", "way"), cells(NAMED, (PROTOBUF, GRPC)))
def test_a_fault_of_the_goals_loses_nothing_that_is_not_counted(
    fault: Fault, way: str, store: str, network: Toxiproxy | None, identities: Identities, tmp_path: Path
) -> None:
    spool, ring = spool_of(store, tmp_path), ring_of(store, tmp_path)
    with scene(fault, way, network, identities, attempt_millis(fault), spool, **ring) as cell:
        run_course(cell)
