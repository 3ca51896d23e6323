"""librdkafka's own mock of a Kafka broker, in a process of its own: `python -m benchmarks.mock_broker`.

It prints its address, and keeps no more than the end of each topic. What has arrived is counted in messages.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.libraries import NotInstalledError
from benchmarks.null_server.server import cpu_seconds
from benchmarks.servers import ROOT, stop

TOPIC = "otlp_logs"
ANSWER_SECONDS = 30.0


@dataclass
class MockBroker:
    """A running broker; `url` is its address, host and port."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU that it has used."""
        return cpu_seconds(self.pid)


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """Run a broker on a free port of the loopback.

    Raises:
        NotInstalledError: There is no confluent-kafka.
    """
    try:
        import confluent_kafka  # noqa: F401
    except ImportError as error:
        raise NotInstalledError(f"not installed: {error}") from error
    command = [sys.executable, "-m", "benchmarks.mock_broker"]
    process: subprocess.Popen[Any] = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield MockBroker(process.stdout.readline().strip(), process.pid)
    finally:
        stop(process)
        process.stdin.close()
        process.stdout.close()


def messages(address: str) -> int:
    """Return how many messages have arrived so far."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "count", "log_level": 0})
    try:
        found = consumer.list_topics(TOPIC, timeout=ANSWER_SECONDS).topics[TOPIC].partitions
        places = [TopicPartition(TOPIC, number) for number in found]
        return sum(consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)[1] for place in places)
    finally:
        consumer.close()


def main() -> None:
    """Serve until standard input closes."""
    from confluent_kafka import Producer

    given = {"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0}
    producer = Producer(given)
    broker = next(iter(producer.list_topics(timeout=ANSWER_SECONDS).brokers.values()))
    print(f"{broker.host}:{broker.port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
