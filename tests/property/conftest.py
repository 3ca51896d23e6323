"""One isolated provider for the property tests, and every record that it accepts."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

import fapilog
from fapilog import _native
from fapilog.settings import Settings
from tests.unmeasured import unmeasured

NOW = 1_700_000_000_000_000_000


class Bench:
    """A provider with a fixed clock, a logger of ours, and the encoded records that passed it."""

    def __init__(self, **overrides: Any) -> None:
        fixed = {"level": "trace", "sequence": False, "capture_location": "never"}
        settings = Settings.load(environ={}, **fixed, **overrides)
        self.provider = fapilog.LoggerProvider(settings=settings, exporters=["none"])
        self.provider.pipeline.fix_clock(NOW)
        self.log = _native.Logger(self.provider.handle, "bench")
        self.encoded: list[bytes] = []
        self.provider.pipeline.add_tap(self._take)

    def _take(self, record: bytes, scope: str) -> None:
        self.encoded.append(record)

    def take(self) -> list[LogRecord]:
        """Return the records since the last call, decoded."""
        records = [LogRecord.FromString(record) for record in self.encoded]
        self.encoded.clear()
        return records

    def one(self) -> LogRecord:
        """Return the only record since the last call."""
        [record] = self.take()
        return record


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.provider.shutdown()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tracing every line would take longer than these tests; pytest asks here for all others as well."""
    with unmeasured(when=item.path.is_relative_to(Path(__file__).parent)):
        return (yield)
