"""`PostgresExporter`: each batch by COPY into a table. Stage 6 of 7, export. Thread: delivery loop.

Rows are copied into a table of the connection, and moved from there in the same transaction, but for those
that are in the big table already: a batch that was committed without an answer does no harm when it comes
again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
from fapilog import ExportOutcome, LogBatch, PipelineLogRecordExporter, PluginMetadata
from fapilog.exporters.http import run_aside

from postgres_table import schema
from postgres_table.answers import ERRORS, cause_of, is_row_at_fault, outcome_of
from postgres_table.rows import Row, rows_of
from postgres_table.settings import PostgresSettings

# Days before and after today that get a partition of their own; a wrong clock must not make thousands.
_PAST_DAYS, _FUTURE_DAYS = 7, 1
# Of an advisory lock: two processes must not make the same partition at once.
_LOCK = 0x666170696C6F67


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        new: Rows that were not there.
        repeated: Rows that were there already: their batch had arrived, and its answer had not.
        refused: Rows that the database refused for good.
    """

    new: int = 0
    repeated: int = 0
    refused: int = 0


class PostgresExporter:
    """Copies each batch into a table.

    Args:
        settings: Default: from variables and `given`.
        wall_clock: Unix seconds: which days get partitions.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is wrong.

    Example:
        >>> PostgresExporter(table="audit.log_records")
        <PostgresExporter to audit.log_records>
    """

    name = "postgresql"

    def __init__(
        self,
        settings: PostgresSettings | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
        **given: Any,
    ) -> None:
        self.settings = settings if settings is not None else PostgresSettings.load(**given)
        self.max_in_flight = self.settings.max_in_flight
        self.statistics = Statistics()
        self._wall_clock = wall_clock
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._pool: Any = None
        self._inherited: list[Any] = []
        self._days: set[date] | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<PostgresExporter to {self.settings.table}>"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Put the batch into the table; rows that are there already stay as they are."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down")
        rows = await run_aside(lambda: rows_of(batch), "postgres-table")
        try:
            pool = await self._connections()
            async with pool.acquire() as connection:
                if self.settings.create:
                    await self._prepare(connection, {row.time.date() for row in rows})
                refused = await self._insert(connection, rows)
        except ERRORS as error:
            return outcome_of(error, self.settings.refused_pause_millis)
        self.statistics.refused += len(refused)
        return ExportOutcome(
            delivered=len(batch) - len(refused),
            rejected=len(refused),
            cause=refused[0] if refused else "",
            error_type="refused_row" if refused else "",
        )

    async def shutdown(self, timeout_millis: int) -> None:
        """Close the connections."""
        self.close()
        pool, self._pool = self._pool, None
        if pool is None or self._home != (os.getpid(), asyncio.get_running_loop()):
            return
        try:
            await asyncio.wait_for(pool.close(), timeout_millis / 1_000)
        except TimeoutError:
            pool.terminate()

    def close(self) -> None:
        """Take nothing more; for whoever has no loop."""
        self._closed = True

    async def _connections(self) -> Any:
        """The connections of this process: a forked child leaves alone what its parent speaks over."""
        home = os.getpid(), asyncio.get_running_loop()
        if self._pool is None or self._home != home:
            if self._pool is not None:
                self._inherited.append(self._pool)
            self._home, self._days, self._pool = home, None, self._new_pool()
        # With a least size of 0 nothing connects here, so nobody else comes between.
        return await self._pool

    def _new_pool(self) -> Any:
        settings = self.settings
        seconds = settings.timeout_millis / 1_000
        return asyncpg.create_pool(
            None if settings.dsn is None else settings.dsn.get_secret_value(),
            min_size=0,
            max_size=settings.max_in_flight,
            timeout=seconds,
            command_timeout=seconds,
        )

    async def _prepare(self, connection: Any, days: set[date]) -> None:
        """Make the table, once, and partitions for days that have none."""
        if self._days is None:
            await self._alone(connection, schema.table(self.settings.table))
            self._days = set()
        today = datetime.fromtimestamp(self._wall_clock(), UTC).date()
        first, last = today - timedelta(days=_PAST_DAYS), today + timedelta(days=_FUTURE_DAYS)
        for day in sorted(days - self._days):
            if first <= day <= last:
                await self._make_partition(connection, day)
            self._days.add(day)

    async def _make_partition(self, connection: Any, day: date) -> None:
        try:
            await self._alone(connection, schema.partition(self.settings.table, day))
        except asyncpg.CheckViolationError:
            # Rows of that day came when it was far: they are in the partition for all others, and stay there.
            return

    async def _alone(self, connection: Any, statements: str) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(statements)

    async def _insert(self, connection: Any, rows: Sequence[Row]) -> list[str]:
        """Put rows into the table; return why each that is at fault is not there."""
        if not rows:
            return []
        try:
            new = await self._transaction(connection, rows)
        except ERRORS as error:
            if not is_row_at_fault(error):
                raise
            if len(rows) == 1:
                return [cause_of(error)]
            middle = len(rows) // 2
            return [
                *await self._insert(connection, rows[:middle]),
                *await self._insert(connection, rows[middle:]),
            ]
        self.statistics.new += new
        self.statistics.repeated += len(rows) - new
        return []

    async def _transaction(self, connection: Any, rows: Sequence[Row]) -> int:
        """Copy and take over; return how many rows are new."""
        async with connection.transaction():
            await connection.execute(schema.incoming(self.settings.table))
            await connection.copy_records_to_table(schema.INCOMING, records=rows, columns=schema.COLUMNS)
            said: str = await connection.execute(schema.take_over(self.settings.table))
        return int(said.rpartition(" ")[2])


class PostgresLogExporter(PipelineLogRecordExporter):
    """The exporter `postgresql`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is wrong.

    Example:
        >>> PostgresLogExporter(table="log_records").name
        'postgresql'
    """

    fapilog_plugin = PluginMetadata(
        name="postgresql",
        version="0.1.0",
        type="exporter",
        description="Copies records into a partitioned table of PostgreSQL.",
        settings=PostgresSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = PostgresExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight
