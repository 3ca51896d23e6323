"""Log records to Elasticsearch and OpenSearch, as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `ElasticsearchExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `ElasticsearchSettings` | its settings; also `FAPILOG_ELASTICSEARCH_*` variables |
| `ElasticsearchLogExporter` | the exporter by its name, in fapilog and wherever OpenTelemetry is |
| `Statistics` | what an exporter did: requests, delivered, duplicates, dropped by reason, sent again |

How to: `docs/how-to/elasticsearch.md` in the repository.
"""

from fapilog_exporter_elasticsearch.exporter import ElasticsearchExporter
from fapilog_exporter_elasticsearch.otel import ElasticsearchLogExporter
from fapilog_exporter_elasticsearch.progress import Statistics
from fapilog_exporter_elasticsearch.settings import ElasticsearchSettings

__all__ = ["ElasticsearchExporter", "ElasticsearchLogExporter", "ElasticsearchSettings", "Statistics"]
