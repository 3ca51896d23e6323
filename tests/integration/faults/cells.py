"""The cells of the fault matrix: every fault on every way where it can happen, as parameters of tests."""

import pytest

from tests.integration.faults.table import FAULTS

CELLS = [
    pytest.param(
        fault, way, id=f"{fault.name}-{way}", marks=[pytest.mark.toxiproxy] if fault.needs_proxy else []
    )
    for fault in FAULTS
    for way in fault.ways
]
