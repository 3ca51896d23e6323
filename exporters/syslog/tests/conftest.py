"""The same clean environment and the same long tests as in `tests/`; servers."""

from collections.abc import Iterator

import pytest

from tests.conftest import _no_settings_from_the_environment, pytest_collection_modifyitems
from tests.servers.syslog import SyslogServer

__all__ = ["_no_settings_from_the_environment", "pytest_collection_modifyitems"]


@pytest.fixture
def server() -> Iterator[SyslogServer]:
    with SyslogServer() as running:
        yield running
