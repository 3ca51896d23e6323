"""Stage 6 of 7, export: our exporter behind a provider of somebody else. Threads: those of its processor.

The entry-point group `opentelemetry_logs_exporter` promises OpenTelemetry's `LogRecordExporter`. A pipeline
of fapilog stands between, so that records are redacted, buffered, retried and counted there too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from fapilog.batch import LogBatch
from fapilog.exporters.base import Exporter, ExportOutcome
from fapilog.ledger import Ledger
from fapilog.otel.processor import FapilogLogRecordProcessor
from fapilog.settings import Settings

# These are about the provider that calls us, and may name this exporter.
_OF_THE_CALLER = ("OTEL_LOGS_EXPORTER", "FAPILOG_EXPORTERS")


class PipelineLogRecordExporter(LogRecordExporter):
    """Makes an exporter of fapilog one of OpenTelemetry's, for packages that offer theirs by name.

    fapilog itself calls `export_batch`. Another provider calls `export`: the first call makes a pipeline,
    with the settings of the environment.

    Args:
        exporter: Has `export_batch` and a `name`; its `close()`, if it has one, ends what was never used.

    Example:
        >>> class Counting:
        ...     name = "counting"
        ...     async def export_batch(self, batch):
        ...         return ExportOutcome(delivered=len(batch))
        >>> PipelineLogRecordExporter(Counting()).ledger() is None
        True
    """

    name: str

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self.name = exporter.name
        self._lock = threading.Lock()
        self._processor: FapilogLogRecordProcessor | None = None
        self._shut_down = False

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send a batch, for a pipeline of fapilog."""
        return await self._exporter.export_batch(batch)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Put records of another provider into a pipeline of ours; never waits for a network."""
        processor = self._pipeline()
        if processor is None:
            return LogRecordExportResult.FAILURE
        for record in batch:
            processor.on_emit(record)
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until nothing that `export` was handed is pending."""
        return self._processor.force_flush(timeout_millis) if self._processor is not None else True

    def shutdown(self, timeout_millis: int = 30_000) -> None:  # noqa: ARG002 - fapilog passes it
        """Deliver what `export` was handed within `buffer.shutdown_timeout_millis`, and take nothing more."""
        with self._lock:
            self._shut_down = True
        if self._processor is not None:
            self._processor.shutdown()
            return
        close: Any = getattr(self._exporter, "close", None)
        if close is not None:
            close()

    def ledger(self) -> Ledger | None:
        """Return what became of the records of `export`; None before the first."""
        return self._processor.ledger() if self._processor is not None else None

    def _pipeline(self) -> FapilogLogRecordProcessor | None:
        with self._lock:
            if self._processor is None and not self._shut_down:
                self._processor = FapilogLogRecordProcessor(
                    settings=Settings.load(environ=_variables()), exporters=[self._exporter]
                )
            return None if self._shut_down else self._processor


def _variables() -> dict[str, str]:
    """Variables for the pipeline; where a configuration file counts, they do not."""
    if os.environ.get("OTEL_CONFIG_FILE"):
        return {}
    return {name: value for name, value in os.environ.items() if name not in _OF_THE_CALLER}
