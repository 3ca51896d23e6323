"""The same clean environment and the same long tests as in `tests/`, and a mock cluster."""

from collections.abc import Iterator

import pytest

from exporters.kafka.tests.mock_cluster import MockCluster
from tests.conftest import _no_settings_from_the_environment, pytest_collection_modifyitems

__all__ = ["_no_settings_from_the_environment", "cluster", "pytest_collection_modifyitems"]


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as running:
        yield running
