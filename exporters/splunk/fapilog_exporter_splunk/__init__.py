"""Log records to Splunk's HTTP Event Collector, as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `SplunkHecExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `SplunkHecSettings` | its settings; also `FAPILOG_SPLUNK_*` variables |
| `SplunkHecLogExporter` | what the name `splunk_hec` stands for, in any OpenTelemetry application too |
| `Statistics` | what an exporter did: requests, delivered, dropped by reason, sent again |

How to: `docs/how-to/splunk.md` in the repository.
"""

from fapilog_exporter_splunk.exporter import SplunkHecExporter, Statistics
from fapilog_exporter_splunk.otel import SplunkHecLogExporter
from fapilog_exporter_splunk.settings import SplunkHecSettings

__all__ = ["SplunkHecExporter", "SplunkHecLogExporter", "SplunkHecSettings", "Statistics"]
