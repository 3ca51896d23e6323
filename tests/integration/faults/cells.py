"""The cells of the fault matrix: every fault on every way where it can happen, as parameters of tests."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.integration.faults.table import EVERY_WAY, FAULTS, Fault


def cells(faults: Iterable[Fault], ways: tuple[str, ...] = EVERY_WAY) -> list[Any]:
    """Those of some faults on some ways; what needs toxiproxy is marked."""
    return [
        pytest.param(
            fault, way, id=f"{fault.name}-{way}", marks=[pytest.mark.toxiproxy] if fault.needs_proxy else []
        )
        for fault in faults
        for way in ways
        if way in fault.ways
    ]


CELLS = cells(FAULTS)
