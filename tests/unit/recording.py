"""A logger whose records come back as plain values: a pipeline with a tap, a fixed clock and no exporter."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk.resources import Resource

from fapilog import Logger, LoggerProvider, Settings
from fapilog._native import BoundAttributes
from fapilog.testing import ReceivedLogRecord
from fapilog.testing.decoding import decode_log_records

NOW = 1_700_000_000_123_456_789


def decode(record: bytes, scope: str) -> ReceivedLogRecord:
    """Answer the plain form of an encoded record."""
    request = ExportLogsServiceRequest()
    scope_logs = request.resource_logs.add().scope_logs.add()
    scope_logs.scope.name = scope
    scope_logs.log_records.append(LogRecord.FromString(record))
    return decode_log_records(request)[0]


class Recorder:
    """An isolated provider with the given settings; `records` are what stage 4 accepted, in order."""

    def __init__(
        self, *, exporters: tuple[str, ...] = ("none",), enrichers: Any = None, **settings: Any
    ) -> None:
        values: dict[str, Any] = {"level": "trace", "capture_location": "never", "sequence": False} | settings
        self.provider = LoggerProvider(
            Resource.get_empty(),
            settings=Settings.load(environ={}, **values),
            exporters=exporters,
            enrichers=enrichers,
        )
        self.records: list[ReceivedLogRecord] = []
        self.provider.pipeline.fix_clock(NOW)
        self.provider.pipeline.add_tap(self._tap)

    def _tap(self, record: bytes, scope: str) -> None:
        self.records.append(decode(record, scope))

    def logger(self, name: str = "shop", bound: Mapping[str, Any] | None = None) -> Logger:
        """Answer a logger of this provider."""
        return Logger(self.provider.handle, name, bound=BoundAttributes(dict(bound)) if bound else None)

    @property
    def only(self) -> ReceivedLogRecord:
        """The one record there is."""
        (record,) = self.records
        return record

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.provider.shutdown()


def expected(number: int, text: str, body: Any = None, **fields: Any) -> ReceivedLogRecord:
    """Answer a whole record as a `Recorder` sees it; what is not named is not set."""
    values = {"time_unix_nano": NOW, "observed_time_unix_nano": NOW, "scope_name": "shop"} | fields
    return ReceivedLogRecord(severity_number=number, severity_text=text, body=body, **values)
