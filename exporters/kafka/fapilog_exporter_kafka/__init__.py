"""Log records to Kafka, as OTLP, as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `KafkaExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `KafkaSettings` | its settings; also `FAPILOG_KAFKA_*` variables |
| `KafkaLogExporter` | what the name `kafka` stands for, in any OpenTelemetry application too |
| `Statistics` | what an exporter did: messages, records delivered, dropped by reason, sent again |

How to: `docs/how-to/kafka.md` in the repository.
"""

from fapilog_exporter_kafka.exporter import KafkaExporter
from fapilog_exporter_kafka.otel import KafkaLogExporter
from fapilog_exporter_kafka.progress import Statistics
from fapilog_exporter_kafka.settings import KafkaSettings

__all__ = ["KafkaExporter", "KafkaLogExporter", "KafkaSettings", "Statistics"]
