"""The table, its partitions, and the statements that fill it. Names come from settings that allow no quotes.

A unique key of a partitioned table must hold the column it is partitioned by, so it is `(uid, time)`; a
record that comes again has both.
"""

from __future__ import annotations

from datetime import date, timedelta

from postgres_table.rows import Row

COLUMNS = Row._fields
INCOMING = "fapilog_incoming"


def table(name: str) -> str:
    """Return what makes the table, with a partition for days that get none of their own."""
    index = name.rpartition(".")[2]
    return f"""
        CREATE TABLE IF NOT EXISTS {name} (
            time timestamptz NOT NULL,
            uid text NOT NULL,
            observed_time timestamptz NOT NULL,
            severity_number smallint NOT NULL,
            severity_text text NOT NULL,
            body text NOT NULL,
            event_name text NOT NULL,
            trace_id text NOT NULL,
            span_id text NOT NULL,
            service_name text NOT NULL,
            scope text NOT NULL,
            attributes jsonb NOT NULL,
            resource jsonb NOT NULL,
            PRIMARY KEY (uid, time)
        ) PARTITION BY RANGE (time);
        CREATE TABLE IF NOT EXISTS {name}_other PARTITION OF {name} DEFAULT;
        CREATE INDEX IF NOT EXISTS {index}_by_time ON {name} USING brin (time);
        CREATE INDEX IF NOT EXISTS {index}_by_trace ON {name} (trace_id) WHERE trace_id <> '';
    """


def partition(name: str, day: date) -> str:
    """Return what makes the partition of a day (UTC).

    Example:
        >>> print(partition("log_records", date(2026, 11, 21)))
        CREATE TABLE IF NOT EXISTS log_records_20261121 PARTITION OF log_records
        FOR VALUES FROM ('2026-11-21T00:00:00Z') TO ('2026-11-22T00:00:00Z')
    """
    first, end = (f"'{each.isoformat()}T00:00:00Z'" for each in (day, day + timedelta(days=1)))
    return (
        f"CREATE TABLE IF NOT EXISTS {name}_{day:%Y%m%d} PARTITION OF {name}\n"
        f"FOR VALUES FROM ({first}) TO ({end})"
    )


def incoming(name: str) -> str:
    """Return what makes the table that rows are copied into: of one connection, empty after a commit."""
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {INCOMING} (LIKE {name}) ON COMMIT DELETE ROWS"


def take_over(name: str) -> str:
    """Return what moves copied rows into the table, but for those that are there already."""
    columns = ", ".join(COLUMNS)
    words = (
        "INSERT INTO",
        name,
        f"({columns})",
        "SELECT",
        columns,
        "FROM",
        INCOMING,
        "ON CONFLICT DO NOTHING",
    )
    return " ".join(words)
