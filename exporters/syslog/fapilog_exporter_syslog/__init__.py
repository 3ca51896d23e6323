"""Log records to syslog servers (RFC 5424 over TLS and TCP), as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `SyslogExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `SyslogSettings` | its settings; also `FAPILOG_SYSLOG_*` variables |
| `SyslogLogExporter` | what the name `syslog` stands for, in any OpenTelemetry application too |
| `Statistics` | what an exporter did: connections, delivered, dropped by reason, cut, sent again |

How to: `docs/how-to/syslog.md` in the repository.
"""

from fapilog_exporter_syslog.exporter import Statistics, SyslogExporter
from fapilog_exporter_syslog.otel import SyslogLogExporter
from fapilog_exporter_syslog.settings import SyslogSettings

__all__ = ["Statistics", "SyslogExporter", "SyslogLogExporter", "SyslogSettings"]
