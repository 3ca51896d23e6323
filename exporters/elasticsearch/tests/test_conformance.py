"""The exporter keeps what delivery relies on."""

from collections.abc import Iterator

import pytest

from fapilog.testing import ExporterConformance
from fapilog_exporter_elasticsearch import ElasticsearchExporter, ElasticsearchLogExporter
from tests.servers.bulk import BulkServer, Fault


class TestElasticsearchExporter(ExporterConformance):
    made = ElasticsearchExporter

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with BulkServer() as self.server:
            yield

    def make_exporter(self):
        # Without ids: the suite sends the same records more than once, and counts them.
        return self.made(urls=[self.server.url], ids=False)

    def received(self):
        return len(self.server.documents)

    def break_destination(self):
        self.server.script(*[Fault(503)] * 1_000)


class TestElasticsearchLogExporter(TestElasticsearchExporter):
    made = ElasticsearchLogExporter
