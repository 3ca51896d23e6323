"""librdkafka's own mock of a cluster, in this process: brokers on loopback that speak Kafka's protocol."""

from typing import Any, Self

from confluent_kafka import Producer

from tests.servers.kafka_reading import Read, read_topic


class MockCluster:
    """A mock cluster; its topics are made when they are first used.

    Args:
        brokers: How many.
    """

    def __init__(self, brokers: int = 1) -> None:
        given = {"test.mock.num.brokers": brokers, "bootstrap.servers": "unused", "log_level": 0}
        self._producer: Any = Producer(given)
        found = self._producer.list_topics(timeout=30).brokers.values()
        self.addresses = tuple(f"{each.host}:{each.port}" for each in found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let the brokers disappear."""
        self._producer = None

    def messages(self, topic: str = "otlp_logs") -> list[Read]:
        """What the topic holds."""
        return read_topic(self.addresses, topic)
