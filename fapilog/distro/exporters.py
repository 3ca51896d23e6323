"""Our pipeline as an OpenTelemetry exporter of logs, for other distributions and hand-made providers.

`OTEL_LOGS_EXPORTER=fapilog`, or `batch: {exporter: {fapilog: ...}}` in a configuration file. Where you can
choose, `FapilogLogRecordProcessor` is better: it needs no processor with a queue of its own in front.
Threads: those of the processor that exports.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from typing import Any

from opentelemetry import _logs
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource

from fapilog import _native, ledger, lifecycle
from fapilog.otel.processor import FapilogLogRecordProcessor
from fapilog.settings import Settings

_alive: weakref.WeakSet[FapilogLogExporter] = weakref.WeakSet()


class FapilogLogExporter(LogRecordExporter):
    """Hands records of another provider to a pipeline of ours: redacted, buffered, retried, counted.

    Args:
        **settings: By their names, groups as mappings. Default: the environment, but for
            `OTEL_LOGS_EXPORTER`, which is about the other provider. With `OTEL_CONFIG_FILE` no variable
            counts. Levels filter nothing unless they are set: the other provider has decided.

    Raises:
        ConfigurationError: If a setting is wrong.

    Example:
        >>> from opentelemetry.sdk._logs import LoggerProvider
        >>> from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
        >>> provider, exporter = LoggerProvider(), FapilogLogExporter(exporters=["none"])
        >>> provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        >>> provider.get_logger("jobs").emit(body="started")
        >>> exporter.ledger().accepted
        1
    """

    _by_default: tuple[str, ...] = ("otlp",)

    def __init__(self, **settings: Any) -> None:
        by_file = bool(os.environ.get("OTEL_CONFIG_FILE"))
        variables = {} if by_file else {k: v for k, v in os.environ.items() if k != "OTEL_LOGS_EXPORTER"}
        self.settings = Settings.load(environ=variables, **settings)
        chosen = self.settings.exporters or self._by_default
        self._processor = FapilogLogRecordProcessor(settings=self.settings, exporters=chosen)
        self._shut_down = False
        _alive.add(self)
        lifecycle.ask_at_exit(_flush_the_global_provider)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Put the records into the buffer; never waits for a network."""
        if self._shut_down:
            return LogRecordExportResult.FAILURE
        for record in batch:
            self._processor.on_emit(record)
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until nothing that was handed over is pending."""
        return self._processor.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Deliver what is there within `buffer.shutdown_timeout_millis`, and end."""
        self._shut_down = True
        self._processor.shutdown()

    def handle(self, resource: Resource) -> _native.PipelineHandle:
        """Return the handle of the pipeline for records of a resource."""
        return self._processor.handle(resource)

    def ledger(self) -> ledger.Ledger:
        """Return what became of every record so far."""
        return self._processor.ledger()


class OtlpStdoutExporter(FapilogLogExporter):
    """Writes OTLP JSON lines to standard output, encoded natively (`OTEL_LOGS_EXPORTER=otlp/stdout`)."""

    _by_default = ("otlp/stdout",)


def _flush_the_global_provider() -> None:
    """Hand over what the processor in front of the exporter holds, while the process still can."""
    flush = getattr(_logs.get_logger_provider(), "force_flush", None)
    if flush is not None and active() is not None:
        flush()


def active() -> FapilogLogExporter | None:
    """Return an exporter of this process that is not shut down."""
    return next((exporter for exporter in list(_alive) if not exporter._shut_down), None)
