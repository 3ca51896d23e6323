"""Ways to deliver log records to Kafka; what has arrived, the broker tells."""

from __future__ import annotations

import time
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import fapilog
from benchmarks.delivered_ours import PATIENCE_MILLIS, Account, Send, ours, settings
from benchmarks.delivered_peers import document
from benchmarks.mock_broker import TOPIC, messages
from benchmarks.scenarios import ROW_COUNT, varied_rows


def fapilog_kafka(address: str, _: ExitStack) -> Send:
    """Our exporter: a message for many records."""
    from fapilog_exporter_kafka import KafkaExporter

    exporter = KafkaExporter(brokers=[address], topic=TOPIC)
    send = ours(fapilog.LoggerProvider(settings=settings(), exporters=[exporter]))
    before = messages(address)

    def sent(count: int) -> Account:
        account = send(count)
        return proved(address, account, before + exporter.statistics.messages)

    return sent


def producer(*, orjson: bool = False, **given: Any) -> Any:
    """`confluent-kafka` as applications use it: a message for each record, with its document as JSON."""

    def start(address: str, _: ExitStack) -> Send:
        from confluent_kafka import Producer

        dumps = import_module("orjson" if orjson else "json").dumps
        made = Producer({"bootstrap.servers": address, **given})
        taken, before = [0], messages(address)

        def reported(error: Any, _: Any) -> None:
            taken[0] += error is None

        def send(count: int) -> Account:
            rows = varied_rows()
            for number in range(count):
                value = dumps(document(rows[number % ROW_COUNT]))
                while True:
                    try:
                        made.produce(TOPIC, value, on_delivery=reported)
                        break
                    except BufferError:
                        made.poll(0.05)
                made.poll(0)
            made.flush(PATIENCE_MILLIS / 1_000)
            return proved(address, {"offered": count, "delivered": taken[0]}, before + taken[0])

        return send

    return start


def proved(address: str, account: Account, expected: int) -> Account:
    """Add when it ended, and how many arrived: those that were reported, if the broker has the messages."""
    ended = {"at": time.perf_counter(), "cpu_at": time.process_time()}
    missing = expected - messages(address)
    return account | ended | {"arrived": account["delivered"] - max(missing, 0)}
