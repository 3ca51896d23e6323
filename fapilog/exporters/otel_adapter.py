"""Stage 6 of 7, export: any OpenTelemetry `LogRecordExporter` as one of ours. Threads: a worker per exporter.

OpenTelemetry's rules hold: `export` is never called twice at once (logs SDK, Export); a failure is final,
because retries belong to the exporter; `force_flush` and `shutdown` may come while an export is under way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from fapilog.batch import LogBatch
from fapilog.diagnostics import shown_error
from fapilog.exporters.aside import run_aside
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.worker import ThreadNotStartedError, Worker
from fapilog.operations import error_type_of


class OtelExporterAdapter:
    """Calls the synchronous `export` of an OpenTelemetry exporter in a thread of its own.

    `SUCCESS` counts as delivered; `FAILURE`, anything else and an exception count as rejected. Where no
    thread can be started, nothing was exported, and the batch comes again.

    Args:
        exporter: The exporter; it gets each batch as a `LogBatch`, which is a `Sequence[ReadableLogRecord]`.
        name: Key of its side of the ledger. Default: the name of its class.

    Example:
        >>> from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
        >>> OtelExporterAdapter(InMemoryLogRecordExporter()).name
        'InMemoryLogRecordExporter'
    """

    max_in_flight = 1
    # What a timeout means: OpenTelemetry leaves retries to the exporter.
    retries_itself = True

    def __init__(self, exporter: Any, name: str | None = None) -> None:
        self.exporter = exporter
        self.name = name or type(exporter).__name__
        self._worker = Worker(f"fapilog-export-{self.name}")

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Export one batch; never raises."""
        records = len(batch)
        try:
            result = await self._worker.run(partial(self.exporter.export, batch))
        except ThreadNotStartedError as error:  # nobody was asked yet
            return ExportOutcome(retry=True, cause=shown_error(error), error_type=error_type_of(error))
        except Exception as error:
            return ExportOutcome(rejected=records, cause=shown_error(error), error_type=error_type_of(error))
        # By name: the enumeration was called LogExportResult before, and some exporters bring their own.
        if getattr(result, "name", None) == "SUCCESS":
            return ExportOutcome(delivered=records)
        cause = f"export() returned {getattr(result, 'name', result)!r}"
        return ExportOutcome(rejected=records, cause=cause, error_type="_OTHER")

    async def force_flush(self, timeout_millis: int) -> bool:
        """Pass the flush on; an exporter from before OpenTelemetry 1.44 may have none."""
        method = getattr(self.exporter, "force_flush", None)
        if method is None:
            return True
        return await run_aside(_timed(method, timeout_millis), f"fapilog-flush-{self.name}") is not False

    async def shutdown(self, timeout_millis: int) -> None:
        """Shut the exporter down and let the worker end; an export that is under way is not waited for."""
        try:
            await run_aside(_timed(self.exporter.shutdown, timeout_millis), f"fapilog-end-{self.name}")
        finally:
            self._worker.stop()


def _timed(method: Callable[..., Any], timeout_millis: int) -> Callable[[], Any]:
    """The call with its timeout, if it takes one: `shutdown` of OpenTelemetry's interface has none."""
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    if "timeout_millis" in parameters:
        return lambda: method(timeout_millis=timeout_millis)
    return method
