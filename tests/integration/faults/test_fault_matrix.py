"""Every fault on every way: the ledger adds up all the time, what is lost is counted, the caller goes on.

The faults are data (`table.py`); one judge says what is right (`judge.py`). With a spool, records may only be
delivered, rejected or on disk.
"""

from pathlib import Path

import pytest

from tests.integration.faults.cells import CELLS
from tests.integration.faults.conftest import Identities
from tests.integration.faults.course import STORES, attempt_millis, ring_of, run_course, spool_of
from tests.integration.faults.scene import scene
from tests.integration.faults.table import Fault
from tests.servers.toxiproxy.control import Toxiproxy


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("fault", "way"), CELLS)
def test_after_the_fault_everything_is_delivered_or_counted(
    fault: Fault, way: str, store: str, network: Toxiproxy | None, identities: Identities, tmp_path: Path
) -> None:
    spool, ring = spool_of(store, tmp_path), ring_of(store, tmp_path)
    with scene(fault, way, network, identities, attempt_millis(fault), spool, **ring) as cell:
        run_course(cell)
