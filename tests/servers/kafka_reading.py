"""Reads a topic of Kafka from its beginning to its end, for tests."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

READ_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Read:
    """One message of a topic."""

    partition: int
    key: bytes | None
    value: bytes

    @property
    def request(self) -> ExportLogsServiceRequest:
        """What it holds."""
        return ExportLogsServiceRequest.FromString(self.value)

    @property
    def records(self) -> list[LogRecord]:
        """Its records, in their order."""
        return [
            record
            for resource_logs in self.request.resource_logs
            for scope_logs in resource_logs.scope_logs
            for record in scope_logs.log_records
        ]


def read_topic(brokers: Iterable[str], topic: str, options: Mapping[str, Any] | None = None) -> list[Read]:
    """All messages of a topic that are there now; none if it does not exist.

    Raises:
        TimeoutError: The end was not reached in time.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": ",".join(brokers),
            "group.id": "tests",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
            **(options or {}),
        }
    )
    try:
        return _read(consumer, topic)
    finally:
        consumer.close()


def _read(consumer: Any, topic: str) -> list[Read]:
    metadata = consumer.list_topics(topic, timeout=READ_TIMEOUT_SECONDS).topics[topic]
    if metadata.error is not None:
        return []
    left = set(metadata.partitions)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
    found: list[Read] = []
    deadline = time.monotonic() + READ_TIMEOUT_SECONDS
    while left:
        if time.monotonic() > deadline:
            raise TimeoutError(f"partitions {sorted(left)} of {topic} were not read to their end")
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error() is None:
            found.append(Read(message.partition(), message.key(), message.value()))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition())
        elif not message.error().retriable():
            raise KafkaException(message.error())
    return found
