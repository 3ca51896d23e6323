"""`ElasticsearchLogExporter`: the exporter by its name, in fapilog and in any OpenTelemetry application.

fapilog sees `export_batch`. Another provider calls `export`, as of any `LogRecordExporter`: then a pipeline
of fapilog stands between (`fapilog.PipelineLogRecordExporter`).
Threads: delivery loop (fapilog), those of the processor that exports (other providers).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fapilog import PipelineLogRecordExporter, PluginMetadata
from fapilog_exporter_elasticsearch.exporter import ElasticsearchExporter
from fapilog_exporter_elasticsearch.progress import Statistics
from fapilog_exporter_elasticsearch.settings import ElasticsearchSettings


class ElasticsearchLogExporter(PipelineLogRecordExporter):
    """The exporter `elasticsearch`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> exporter = ElasticsearchLogExporter(urls=["https://logs.example:9200"], api_key="not-a-key")
        >>> exporter.name
        'elasticsearch'
    """

    name = ElasticsearchExporter.name
    fapilog_plugin = PluginMetadata(
        name=ElasticsearchExporter.name,
        version=version("fapilog-exporter-elasticsearch"),
        type="exporter",
        description="Sends records to Elasticsearch and OpenSearch, in bulk requests into data streams.",
        settings=ElasticsearchSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = ElasticsearchExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight

    def __repr__(self) -> str:
        return f"<ElasticsearchLogExporter to {', '.join(self.exporter.settings.nodes)}>"

    @property
    def statistics(self) -> Statistics:
        """What it did so far."""
        return self.exporter.statistics
