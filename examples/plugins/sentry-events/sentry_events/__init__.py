"""Log records to Sentry, errors as events, as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `SentryExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `SentrySettings` | its settings; also `FAPILOG_SENTRY_*` variables |
| `SentryLogExporter` | what the name `sentry` stands for, in any OpenTelemetry application too |
| `Statistics` | what an exporter did: requests, records taken, refused, sent again |
"""

from sentry_events.exporter import SentryExporter, SentryLogExporter, Statistics
from sentry_events.settings import SentrySettings

__all__ = ["SentryExporter", "SentryLogExporter", "SentrySettings", "Statistics"]
