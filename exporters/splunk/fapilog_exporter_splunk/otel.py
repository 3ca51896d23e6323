"""`SplunkHecLogExporter`: the exporter by its name, in fapilog and in any OpenTelemetry application.

fapilog sees `export_batch`. Another provider calls `export`, as of any `LogRecordExporter`: then a pipeline
of fapilog stands between (`fapilog.PipelineLogRecordExporter`).
Threads: delivery loop (fapilog), those of the processor that exports (other providers).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fapilog import PipelineLogRecordExporter, PluginMetadata
from fapilog_exporter_splunk.exporter import SplunkHecExporter, Statistics
from fapilog_exporter_splunk.settings import SplunkHecSettings


class SplunkHecLogExporter(PipelineLogRecordExporter):
    """The exporter `splunk_hec`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> exporter = SplunkHecLogExporter(url="https://splunk.example:8088", token="not-a-token")
        >>> exporter.name
        'splunk_hec'
    """

    name = SplunkHecExporter.name
    fapilog_plugin = PluginMetadata(
        name=SplunkHecExporter.name,
        version=version("fapilog-exporter-splunk"),
        type="exporter",
        description="Sends records to Splunk's HTTP Event Collector.",
        settings=SplunkHecSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = SplunkHecExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight

    def __repr__(self) -> str:
        return f"<SplunkHecLogExporter to {self.exporter.settings.url}>"

    @property
    def statistics(self) -> Statistics:
        """What it did so far."""
        return self.exporter.statistics
