"""What fapilog expects of a batch processor, asked of ours; and what it does."""

import fapilog
from fapilog.testing import ProcessorConformance
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from health_checks import HealthChecks


class TestHealthChecks(ProcessorConformance):
    def make_processor(self):
        return HealthChecks()


def test_records_of_health_checks_are_left_out():
    exporter = InMemoryLogRecordExporter()
    with fapilog.LoggerProvider(exporters=[exporter], batch_processors=[HealthChecks()]) as provider:
        for path in ("/healthz", "/orders"):
            provider.get_logger("http").emit(body=path, attributes={"url.path": path})
        provider.force_flush()
    assert [each.log_record.body for each in exporter.get_finished_logs()] == ["/orders"]
