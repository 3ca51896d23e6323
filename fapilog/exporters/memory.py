"""Stage 6 of 7, export: records stay in memory, for tests and small tools. Threads: delivery loop, any."""

from __future__ import annotations

import os
from collections import deque

from opentelemetry.sdk._logs import ReadableLogRecord

from fapilog.batch import LogBatch
from fapilog.errors import LifecycleError
from fapilog.exporters.base import ExportOutcome
from fapilog.settings import Settings

LIMIT_RECORDS = 10_000
# The one that was made last by its name.
_newest: MemoryExporter | None = None


def make_exporter(settings: Settings) -> MemoryExporter:
    """Make the exporter that is called `memory`; it has no settings. `newest()` finds it."""
    global _newest  # noqa: PLW0603
    del settings
    _newest = MemoryExporter()
    return _newest


def newest() -> MemoryExporter:
    """Return the exporter that was made last by the name `memory`, in `FAPILOG_EXPORTERS` or in code.

    It can be read after its provider is shut down, too.

    Raises:
        LifecycleError: `memory-exporter-missing`, if none was made.

    Example:
        >>> import fapilog
        >>> from fapilog.exporters import memory
        >>> with fapilog.LoggerProvider(exporters=["memory"]) as provider:
        ...     provider.get_logger("jobs").emit(body="started")
        ...     flushed = provider.force_flush()
        >>> [record.log_record.body for record in memory.newest().get_finished_logs()]
        ['started']
    """
    if _newest is None:
        raise LifecycleError(
            "memory-exporter-missing",
            "no exporter was made by the name memory; set FAPILOG_EXPORTERS=memory, or pass"
            " exporters=['memory'], before the first record",
        )
    return _newest


class MemoryExporter:
    """Keeps the newest records, redacted, as every exporter gets them.

    The names are those of OpenTelemetry's `InMemoryLogRecordExporter`. A forked child starts with none.

    Args:
        limit_records: Records kept at most; older ones are forgotten. Default 10 000.
        name: Key of its side of the ledger.

    Attributes:
        forgotten: Records that gave way to newer ones.

    Example:
        >>> import fapilog
        >>> from fapilog.exporters.memory import MemoryExporter
        >>> memory = MemoryExporter()
        >>> with fapilog.LoggerProvider(exporters=[memory]) as provider:
        ...     provider.get_logger("jobs").emit(body="started")
        ...     flushed = provider.force_flush()
        >>> [record.log_record.body for record in memory.get_finished_logs()]
        ['started']
    """

    def __init__(self, limit_records: int = LIMIT_RECORDS, name: str = "memory") -> None:
        if limit_records < 1:
            raise ValueError(f"limit_records is {limit_records}; it must be 1 or more")
        self.name = name
        self.forgotten = 0
        self._records: deque[ReadableLogRecord] = deque(maxlen=limit_records)
        self._process = os.getpid()

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Keep the records of the batch."""
        records = self._own()
        self.forgotten += max(0, len(records) + len(batch) - (records.maxlen or 0))
        records.extend(batch)
        return ExportOutcome(delivered=len(batch))

    def get_finished_logs(self) -> tuple[ReadableLogRecord, ...]:
        """Return the records that are kept, oldest first; flush the provider before."""
        return tuple(self._own())

    def clear(self) -> None:
        """Forget all records."""
        self._own().clear()
        self.forgotten = 0

    def _own(self) -> deque[ReadableLogRecord]:
        if self._process != os.getpid():  # the inherited records are the parent's
            self._process, self.forgotten = os.getpid(), 0
            self._records = deque(maxlen=self._records.maxlen)
        return self._records
