"""`SyslogLogExporter`: the exporter by its name, in fapilog and in any OpenTelemetry application.

fapilog sees `export_batch`. Another provider calls `export`, as of any `LogRecordExporter`: then a pipeline
of fapilog stands between (`fapilog.PipelineLogRecordExporter`).
Threads: delivery loop (fapilog), those of the processor that exports (other providers).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fapilog import PipelineLogRecordExporter, PluginMetadata
from fapilog_exporter_syslog.exporter import Statistics, SyslogExporter
from fapilog_exporter_syslog.settings import SyslogSettings


class SyslogLogExporter(PipelineLogRecordExporter):
    """The exporter `syslog`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> exporter = SyslogLogExporter(endpoint="tls://syslog.example")
        >>> exporter.name
        'syslog'
    """

    name = SyslogExporter.name
    fapilog_plugin = PluginMetadata(
        name=SyslogExporter.name,
        version=version("fapilog-exporter-syslog"),
        type="exporter",
        description="Sends records to syslog servers (RFC 5424) over TLS and TCP.",
        settings=SyslogSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = SyslogExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight

    def __repr__(self) -> str:
        return f"<SyslogLogExporter to {self.exporter.settings.endpoint}>"

    @property
    def statistics(self) -> Statistics:
        """What it did so far."""
        return self.exporter.statistics
