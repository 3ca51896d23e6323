"""The exporter keeps what delivery relies on."""

import pytest

from exporters.kafka.tests.mock_cluster import MockCluster
from fapilog.testing import ExporterConformance
from fapilog_exporter_kafka import KafkaExporter, KafkaLogExporter


class TestKafkaExporter(ExporterConformance):
    made = KafkaExporter

    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: MockCluster) -> None:
        self.cluster = cluster
        self.read: int | None = None

    def make_exporter(self):
        return self.made(brokers=self.cluster.addresses)

    def received(self):
        # What a cluster held that is gone, nobody can count.
        return self.read if self.read is not None else self._count()

    def break_destination(self):
        self.read = self._count()
        self.cluster.stop()

    def _count(self):
        return sum(len(message.records) for message in self.cluster.messages())


class TestKafkaLogExporter(TestKafkaExporter):
    made = KafkaLogExporter
