"""`KafkaLogExporter`: the exporter by its name, in fapilog and in any OpenTelemetry application.

fapilog sees `export_batch`. Another provider calls `export`, as of any `LogRecordExporter`: then a pipeline
of fapilog stands between (`fapilog.PipelineLogRecordExporter`).
Threads: delivery loop (fapilog), those of the processor that exports (other providers).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fapilog import PipelineLogRecordExporter, PluginMetadata
from fapilog_exporter_kafka.exporter import KafkaExporter
from fapilog_exporter_kafka.progress import Statistics
from fapilog_exporter_kafka.settings import KafkaSettings


class KafkaLogExporter(PipelineLogRecordExporter):
    """The exporter `kafka`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> KafkaLogExporter(brokers=["localhost:9092"], key="trace").name
        'kafka'
    """

    name = KafkaExporter.name
    fapilog_plugin = PluginMetadata(
        name=KafkaExporter.name,
        version=version("fapilog-exporter-kafka"),
        type="exporter",
        description="Sends records to Kafka as OTLP, which the Collector's kafka receiver reads.",
        settings=KafkaSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = KafkaExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight

    def __repr__(self) -> str:
        settings = self.exporter.settings
        return f"<KafkaLogExporter to {settings.topic} at {', '.join(settings.brokers)}>"

    @property
    def statistics(self) -> Statistics:
        """What it did so far."""
        return self.exporter.statistics
