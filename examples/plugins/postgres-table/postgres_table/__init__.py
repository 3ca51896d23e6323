"""Log records into a partitioned table of PostgreSQL, as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `PostgresExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `PostgresSettings` | its settings; also `FAPILOG_POSTGRESQL_*` variables |
| `PostgresLogExporter` | what the name `postgresql` stands for, in any OpenTelemetry application too |
| `Statistics` | what an exporter did: rows that are new, that were there, that were refused |
"""

from postgres_table.exporter import PostgresExporter, PostgresLogExporter, Statistics
from postgres_table.settings import PostgresSettings

__all__ = ["PostgresExporter", "PostgresLogExporter", "PostgresSettings", "Statistics"]
