"""What the Kafka exporter sends, read back from a real broker by the Collector's kafka receiver."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog.testing.samples import sample_batch
from fapilog_exporter_kafka import KafkaExporter
from tests.servers.collector import Collector
from tests.servers.kafka import KafkaBroker
from tests.servers.maven import JavaServerMissing

# Java and the Collector start slowly where others build.
pytestmark = pytest.mark.timeout(300)
TOPICS = ("otlp_logs", "by_trace")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    try:
        running = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    except JavaServerMissing as missing:
        pytest.skip(str(missing))
    with running:
        for topic in TOPICS:
            running.create_topic(topic, 2)
        yield running


@pytest.fixture(scope="module")
def reading(broker: KafkaBroker, collector_binary: Path, tmp_path_factory) -> Iterator[Collector]:
    """A Collector that reads both topics with its defaults, from their beginning."""
    receiver: dict[str, Any] = {
        "brokers": [broker.address],
        "initial_offset": "earliest",
        "logs": {"topics": list(TOPICS)},
    }
    extra = {
        "receivers": {"kafka": receiver},
        "service": {"pipelines": {"logs": {"receivers": ["kafka"]}}},
    }
    with Collector(collector_binary, tmp_path_factory.mktemp("reading"), extra=extra) as collector:
        yield collector


def test_the_collectors_receiver_reads_what_is_sent_record_by_record(broker, reading, monkeypatch) -> None:
    """One test, so that workers that share the tests of a file start one broker."""
    for topic, key in zip(TOPICS, ("none", "trace"), strict=True):
        check_samples(broker, reading, topic, key)
    check_a_service(broker, reading, monkeypatch)


def check_samples(broker: KafkaBroker, reading: Collector, topic: str, key: Any) -> None:
    """Records of every shape arrive as they were."""
    batch = sample_batch(30)
    exporter = KafkaExporter(brokers=[broker.address], topic=topic, key=key)
    outcome = _export(exporter, batch)
    assert outcome == fapilog.ExportOutcome(delivered=30), outcome
    found = reading.wait_for_log_records(30, 120.0)
    assert Counter(map(repr, found)) == Counter(map(repr, _records(batch)))
    reading.forget_records()


def check_a_service(broker: KafkaBroker, reading: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, redacted, and whole."""
    monkeypatch.setenv("FAPILOG_KAFKA_BROKERS", broker.address)
    settings = fapilog.Settings.load(environ={}, redaction={"mode": "scan"})
    with fapilog.LoggerProvider(settings=settings, exporters=["kafka"]) as provider:
        logger = provider.get_logger("orders")
        for number in range(300):
            logger.emit(body=f"paid with 4111 1111 1111 1111: {number}", attributes={"number": number})
        assert provider.force_flush(60_000), str(provider.ledger())
    records = reading.wait_for_log_records(300, 120.0)
    assert sorted(record.attributes["number"] for record in records) == list(range(300))
    assert "4111" not in str(records)


def _export(exporter: KafkaExporter, batch: fapilog.LogBatch) -> fapilog.ExportOutcome:
    import asyncio

    async def export() -> fapilog.ExportOutcome:
        outcome = await exporter.export_batch(batch)
        await exporter.shutdown(1_000)
        return outcome

    return asyncio.run(export())


def _records(batch: fapilog.LogBatch) -> list[Any]:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    from fapilog.testing.decoding import decode_log_records

    return decode_log_records(ExportLogsServiceRequest.FromString(batch.otlp_bytes()))
