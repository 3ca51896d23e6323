"""By its name in fapilog, and in any OpenTelemetry one: redacted, counted, delivered; also after a fork."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from confluent_kafka import KafkaError
from opentelemetry.sdk._logs import LoggerProvider as OtelProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

import fapilog
from exporters.kafka.tests.numbered import numbers
from exporters.kafka.tests.standing_in import Log, Told, exporter_to
from fapilog.exporters.base import is_exporter
from fapilog_exporter_kafka import KafkaExporter, KafkaLogExporter

CARD = "4111 1111 1111 1111"
ROOT = Path(__file__).parents[3]


def settings(**given):
    return fapilog.Settings.load(environ={}, buffer={"schedule_delay_millis": 10}, **given)


def log(provider, count=10, first=0):
    logger = provider.get_logger("orders")
    for number in range(first, first + count):
        logger.emit(body=f"paid {number} with {CARD}", attributes={"number": number})


def found(messages):
    return [number for message in messages for number in numbers(message.records)]


def test_it_is_chosen_by_its_name(monkeypatch, cluster):
    monkeypatch.setenv("FAPILOG_KAFKA_BROKERS", cluster.addresses[0])
    with fapilog.LoggerProvider(settings=settings(), exporters=["kafka"]) as provider:
        log(provider)
        assert provider.force_flush(30_000)
        side = provider.ledger().exporters["kafka"]
    assert (side.delivered, side.rejected) == (10, 0)
    assert sorted(found(cluster.messages())) == list(range(10))


def test_it_is_chosen_by_a_variable(monkeypatch, cluster):
    variables = {
        "FAPILOG_EXPORTERS": "kafka",
        "FAPILOG_KAFKA_BROKERS": cluster.addresses[0],
        "FAPILOG_KAFKA_TOPIC": "logs.orders",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with fapilog.LoggerProvider(settings=fapilog.Settings.load()) as provider:
        log(provider, 3)
        assert provider.force_flush(30_000)
    assert sorted(found(cluster.messages("logs.orders"))) == [0, 1, 2]


def test_a_card_never_leaves(cluster):
    exporter = KafkaExporter(brokers=cluster.addresses)
    chosen = settings(redaction={"mode": "scan"})
    with fapilog.LoggerProvider(settings=chosen, exporters=[exporter]) as provider:
        log(provider)
        assert provider.force_flush(30_000)
    stored = b"".join(message.value for message in cluster.messages())
    assert b"paid 3 with" in stored
    assert CARD.encode() not in stored
    assert CARD.replace(" ", "").encode() not in stored


def test_a_provider_of_opentelemetry_exports_through_it_redacted(monkeypatch, cluster):
    monkeypatch.setenv("FAPILOG_REDACTION", "scan")
    exporter = KafkaLogExporter(brokers=cluster.addresses)
    provider = OtelProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    log(provider)
    provider.force_flush()
    assert exporter.force_flush(30_000)
    stored = b"".join(message.value for message in cluster.messages())
    provider.shutdown()
    assert stored
    assert CARD.encode() not in stored
    assert exporter.ledger().exporters["kafka"].delivered == 10
    assert exporter.statistics.delivered == 10


def test_the_entry_point_is_an_exporter_of_both_kinds():
    (point,) = importlib.metadata.entry_points(group="opentelemetry_logs_exporter", name="kafka")
    assert point.load() is KafkaLogExporter
    assert is_exporter(KafkaLogExporter())
    assert point.load().fapilog_plugin.type == "exporter"


def test_records_with_one_key_meet_in_one_partition(cluster):
    exporter = KafkaExporter(brokers=cluster.addresses, key="service")
    for name in ("checkout", "orders", "checkout"):
        from opentelemetry.sdk.resources import Resource

        resource = Resource({"service.name": name})
        with fapilog.LoggerProvider(settings=settings(), exporters=[exporter], resource=resource) as provider:
            log(provider, 5)
            assert provider.force_flush(30_000)
        exporter = KafkaExporter(brokers=cluster.addresses, key="service")
    messages = cluster.messages()
    assert {message.key for message in messages} == {b"checkout", b"orders"}
    for key in (b"checkout", b"orders"):
        assert len({message.partition for message in messages if message.key == key}) == 1


def test_what_is_refused_is_in_the_ledger_and_said(capfd):
    exporter = exporter_to(Log([Told(KafkaError.INVALID_RECORD, written=False)]))
    with fapilog.LoggerProvider(settings=settings(), exporters=[exporter]) as provider:
        log(provider)
        assert provider.force_flush(30_000)
        side = provider.ledger().exporters["kafka"]
    assert side.delivered + side.rejected == 10
    assert side.rejected == exporter.statistics.dropped.total() > 0
    assert "INVALID_RECORD" in capfd.readouterr().err


def test_a_cluster_that_is_away_at_first_gets_everything_later():
    told = [Told(KafkaError.NOT_ENOUGH_REPLICAS, written=False)] * 3
    topic = Log(told)
    retry = {"initial_backoff_millis": 1, "max_backoff_millis": 5}
    chosen = settings(delivery={"retry": retry, "breaker_pause_millis": 5})
    with fapilog.LoggerProvider(settings=chosen, exporters=[exporter_to(topic)]) as provider:
        log(provider)
        assert provider.force_flush(30_000)
    assert sorted(topic.numbers()) == list(range(10))


FORKED = """
import os, sys
import fapilog
from fapilog_exporter_kafka import KafkaExporter

exporter = KafkaExporter(brokers=[sys.argv[1]])
chosen = fapilog.Settings.load(environ={}, buffer={"schedule_delay_millis": 10})
provider = fapilog.LoggerProvider(settings=chosen, exporters=[exporter])
logger = provider.get_logger("forked")
logger.emit(body="before", attributes={"number": 0})
assert provider.force_flush(30_000)
children = []
for number in (1, 2, 3):
    pid = os.fork()
    if pid == 0:
        if number < 3:
            logger.emit(body="in a child", attributes={"number": number})
            assert provider.force_flush(30_000)
        # As a program ends: with every destructor. The third child never logged.
        sys.exit(0)
    children.append(pid)
logger.emit(body="after", attributes={"number": 4})
assert provider.force_flush(30_000)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
provider.shutdown()
"""


def test_forked_children_have_a_producer_of_their_own_and_end(cluster):
    done = subprocess.run(
        [sys.executable, "-c", FORKED, cluster.addresses[0]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(found(cluster.messages())) == [0, 1, 2, 4]
