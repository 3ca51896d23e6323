"""Kafka as a destination: a real broker, with a proxy before it that breaks connections."""

import time
from typing import Any

from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from fapilog_exporter_kafka import KafkaExporter
from tests.integration.exporter_faults.destinations import SLOW_SECONDS, TIMES, Destination
from tests.servers.kafka import ANSWER_SECONDS, KafkaBroker
from tests.servers.kafka_proxy import KafkaProxy, Way

# Odd records are larger than the topic takes; a batch without them is not.
LIMIT_BYTES, LARGE_BYTES = 8_000, 12_000
# Long enough for an answer on a busy machine, where it is to come.
HELD_MILLIS = 2_000
WAIT_SECONDS = 60.0
PROBE = b"probe"


class Kafka(Destination):
    """A topic for each fault, in one broker.

    Args:
        fault: What it will be told.
        broker: It advertises the port of `proxy`.
        proxy: Between the exporter and the broker.
    """

    name = "kafka"

    def __init__(self, fault: str, broker: KafkaBroker, proxy: KafkaProxy) -> None:
        super().__init__(fault)
        self.broker, self.proxy = broker, proxy
        self.topic = f"orders-{fault}"
        self._answered = 0
        self._admin = broker.admin()
        everybody = (ResourceType.TOPIC, self.topic, ResourcePatternType.LITERAL, "User:*", "*")
        denied = (*everybody, AclOperation.WRITE, AclPermissionType.DENY)
        self._denial, self._its_filter = AclBinding(*denied), AclBindingFilter(*denied)

    def __enter__(self) -> "Kafka":
        self.broker.create_topic(self.topic)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__()
        self.proxy.faults.clear()
        self.proxy.pause_seconds = 0.0

    def start(self) -> None:
        self.proxy.start()

    def stop(self) -> None:
        self.proxy.stop()

    def exporter(self) -> Any:
        given = {"reconnect.backoff.ms": "20", "reconnect.backoff.max.ms": "200"}
        if self.fault == "timeout":
            given["socket.timeout.ms"] = str(HELD_MILLIS)
        # Uncompressed: the broker's limit is of what arrives.
        return KafkaExporter(
            brokers=[f"127.0.0.1:{self.proxy.port}"], topic=self.topic, compression="none", properties=given
        )

    def variables(self) -> dict[str, str]:
        return {
            "FAPILOG_KAFKA_BROKERS": f"127.0.0.1:{self.proxy.port}",
            "FAPILOG_KAFKA_TOPIC": self.topic,
            "FAPILOG_KAFKA_PROPERTIES": "reconnect.backoff.ms=20,reconnect.backoff.max.ms=200",
        }

    def misbehave(self) -> None:
        ways: dict[str, Way] = {
            "reset_before": "reset_before",
            "reset_after": "reset_after",
            "timeout": "hold",
        }
        if self.fault == "slow":
            self.proxy.pause_seconds = SLOW_SECONDS
        elif self.fault == "half_refused":
            self.refused, self.padding_of_refused_bytes = True, LARGE_BYTES
            self._limit()
            self._wait_until(KafkaError.MSG_SIZE_TOO_LARGE)
        elif self.fault == "unavailable":
            self._admin.create_acls([self._denial])[self._denial].result(ANSWER_SECONDS)
            self._wait_until(KafkaError.TOPIC_AUTHORIZATION_FAILED)
            self._answered = self.proxy.answered
        else:
            self.proxy.faults.extend([ways[self.fault]] * TIMES)

    def recover(self) -> None:
        if self.fault == "unavailable":
            deadline = time.monotonic() + WAIT_SECONDS
            while self.proxy.answered < self._answered + 1:
                assert time.monotonic() < deadline, "nothing was refused"
                time.sleep(0.01)
            self._admin.delete_acls([self._its_filter])[self._its_filter].result(ANSWER_SECONDS)

    def uids(self) -> list[tuple[int, str]]:
        found = []
        for message in self.broker.messages(self.topic):
            if message.key == PROBE:
                continue
            for record in message.records:
                attributes = {each.key: each.value for each in record.attributes}
                found.append((attributes["number"].int_value, attributes["log.record.uid"].string_value))
        return found

    def counted_repeats(self, exporter: Any) -> int | None:
        return int(exporter.statistics.resent)

    def _limit(self) -> None:
        entry = ConfigEntry(
            "max.message.bytes", str(LIMIT_BYTES), incremental_operation=AlterConfigOpType.SET
        )
        topic = ConfigResource(ResourceType.TOPIC, self.topic, incremental_configs=[entry])
        self._admin.incremental_alter_configs([topic])[topic].result(ANSWER_SECONDS)

    def _wait_until(self, code: int) -> None:
        """Wait until the broker answers a large message so: what it was told has an effect."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._probed() != code:
            assert time.monotonic() < deadline, f"it does not answer {code}"

    def _probed(self) -> int | None:
        answers: list[int | None] = []
        given = {"bootstrap.servers": self.broker.address, "retries": 0, "compression.type": "none"}
        producer = Producer({**given, "log_level": 0})
        producer.produce(
            self.topic,
            b"x" * LARGE_BYTES,
            PROBE,
            on_delivery=lambda error, _: answers.append(error and error.code()),
        )
        producer.flush(ANSWER_SECONDS)
        return answers[0] if answers else -1
