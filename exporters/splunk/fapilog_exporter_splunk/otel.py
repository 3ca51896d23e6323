"""`SplunkHecLogExporter`: the exporter by its name, in fapilog and in any OpenTelemetry application.

fapilog sees `export_batch`. Another provider calls `export`, as of any `LogRecordExporter`: then a pipeline
of fapilog stands between, so that records are redacted, buffered, retried and counted there too.
Threads: delivery loop (fapilog), those of the processor that exports (other providers).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from fapilog import ExportOutcome, FapilogLogRecordProcessor, Ledger, LogBatch, PluginMetadata, Settings
from fapilog_exporter_splunk.exporter import SplunkHecExporter, Statistics
from fapilog_exporter_splunk.settings import SplunkHecSettings


class SplunkHecLogExporter(LogRecordExporter):
    """The exporter `splunk_hec`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> exporter = SplunkHecLogExporter(url="https://splunk.example:8088", token="not-a-token")
        >>> exporter.name
        'splunk_hec'
    """

    name = SplunkHecExporter.name
    fapilog_plugin = PluginMetadata(
        name=SplunkHecExporter.name,
        version=version("fapilog-exporter-splunk"),
        type="exporter",
        description="Sends records to Splunk's HTTP Event Collector.",
        settings=SplunkHecSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = SplunkHecExporter(**given)
        self.max_in_flight = self.exporter.max_in_flight
        self._lock = threading.Lock()
        self._processor: FapilogLogRecordProcessor | None = None
        self._shut_down = False

    def __repr__(self) -> str:
        return f"<SplunkHecLogExporter to {self.exporter.settings.url}>"

    @property
    def statistics(self) -> Statistics:
        """What it did so far."""
        return self.exporter.statistics

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send a batch, for a pipeline of fapilog."""
        return await self.exporter.export_batch(batch)

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
        else:
            self.exporter.close()

    def ledger(self) -> Ledger | None:
        """Return what became of the records of `export`; None before the first."""
        return self._processor.ledger() if self._processor is not None else None

    def _pipeline(self) -> FapilogLogRecordProcessor | None:
        with self._lock:
            if self._processor is None and not self._shut_down:
                # OTEL_LOGS_EXPORTER is about the provider that calls us, and names this exporter.
                variables = {
                    k: v
                    for k, v in os.environ.items()
                    if k not in ("OTEL_LOGS_EXPORTER", "FAPILOG_EXPORTERS")
                }
                self._processor = FapilogLogRecordProcessor(
                    settings=Settings.load(environ=variables), exporters=[self.exporter]
                )
            return None if self._shut_down else self._processor
