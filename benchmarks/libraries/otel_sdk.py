"""The stock OpenTelemetry SDK: `Logger.emit` and the `logging` handler, batched, over OTLP/HTTP with gzip."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.call_loops import Loop, Stream, emit_loop, emit_stream
from benchmarks.libraries.base import Library
from benchmarks.scenarios import Scenario

# Large enough that the unthrottled runs lose nothing; the default (2048) would.
QUEUE_RECORDS = 1_000_000
HOLD_MILLIS = 3_600_000


def counting_exporter(endpoint: str) -> Any:
    """Return the stock OTLP exporter with a count of acknowledged records."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    class Counting(OTLPLogExporter):
        delivered = 0

        def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
            result = super().export(batch)
            if result is LogRecordExportResult.SUCCESS:
                self.delivered += len(batch)
            return result

    return Counting(endpoint=f"{endpoint}/v1/logs", compression=Compression.Gzip)


class OtelEmit(Library):
    """The events API: the least that the stock SDK can cost."""

    name = "otel emit"
    distribution = "opentelemetry-sdk"
    imports = "opentelemetry.sdk._logs"
    otlp = True
    queue_records: int | None = QUEUE_RECORDS

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Build the provider. `hold` keeps the worker asleep: nothing is exported before `flush()`."""
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.resources import Resource

        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        self._exporter = counting_exporter(endpoint or "http://127.0.0.1:9")
        self._processor = BatchLogRecordProcessor(
            self._exporter,
            max_queue_size=self.queue_records,
            schedule_delay_millis=HOLD_MILLIS if hold else None,
            max_export_batch_size=QUEUE_RECORDS if hold else None,
        )
        self._provider = LoggerProvider(Resource.create({"service.name": "benchmark"}))
        self._provider.add_log_record_processor(self._processor)
        self._logger = self._provider.get_logger("shop")

    def call(self, scenario: Scenario) -> Loop | None:
        """Return the emit loop; the SDK's provider has no level to switch off."""
        from opentelemetry._logs import SeverityNumber

        if scenario.level == "debug":
            return None
        return emit_loop(self._logger.emit, SeverityNumber.INFO, scenario)

    def stream(self) -> Stream:
        """Return the emit stream."""
        from opentelemetry._logs import SeverityNumber

        return emit_stream(self._logger.emit, SeverityNumber.INFO)

    def flush(self) -> bool:
        """Export everything queued."""
        return bool(self._provider.force_flush(60_000))

    def delivered(self) -> int:
        """Return the acknowledged records."""
        return int(self._exporter.delivered)

    def close(self) -> None:
        """Shut the provider down."""
        self._provider.shutdown()


class OtelEmitDefaults(OtelEmit):
    """The same with every default of the SDK: a queue of 2048, as a user gets it. For the slow collector."""

    name = "otel emit (defaults)"
    queue_records = None


class OtelHandler(OtelEmit):
    """`logging` with the SDK's handler: what auto-instrumentation installs."""

    name = "otel handler"
    style = "extra"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Build the provider and install its handler."""
        from opentelemetry.sdk._logs import LoggingHandler

        super().prepare(endpoint, hold=hold)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            handler = LoggingHandler(logger_provider=self._provider)
        self._log = logging.getLogger("shop")
        self._log.propagate = False
        self._log.setLevel(logging.INFO)
        self._log.addHandler(handler)

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method."""
        return getattr(self._log, scenario.level)

    def call(self, scenario: Scenario) -> Loop | None:
        """Return the `extra=` loop of the base class."""
        return Library.call(self, scenario)

    def stream(self) -> Stream:
        """Return the `extra=` stream of the base class."""
        return Library.stream(self)
