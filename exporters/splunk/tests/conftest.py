"""The same clean environment as in `tests/`, and a collector."""

from collections.abc import Iterator

import pytest

from tests.conftest import _no_settings_from_the_environment, pytest_collection_modifyitems
from tests.servers.hec import HecServer

__all__ = ["_no_settings_from_the_environment", "pytest_collection_modifyitems"]


@pytest.fixture
def server() -> Iterator[HecServer]:
    with HecServer() as running:
        yield running
