"""What tests of bridges share."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from fapilog.bridges import stdlib
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.recording import Recorder


@pytest.fixture
def bare_bridge() -> Iterator[SimpleNamespace]:
    """A recorder, the bridge, and `logging` as nobody has configured it."""
    original = logging.Logger.callHandlers
    with bare_logging() as root, Recorder() as recorder:
        remove = stdlib.install(recorder.provider.handle)
        try:
            yield SimpleNamespace(recorder=recorder, root=root)
        finally:
            remove()
    assert logging.Logger.callHandlers is original


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Take pytest's own handlers off the root logger; it puts them there after all fixtures."""
    if "bare_bridge" in getattr(item, "fixturenames", ()):
        logging.getLogger().handlers.clear()
