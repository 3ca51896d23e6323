"""Stage 6 of 7, export: records stay in memory, for tests and small tools. Threads: delivery loop, any."""

from __future__ import annotations

import os
from collections import deque

from opentelemetry.sdk._logs import ReadableLogRecord

from fapilog.batch import LogBatch
from fapilog.exporters.base import ExportOutcome

LIMIT_RECORDS = 10_000


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
