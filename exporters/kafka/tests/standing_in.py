"""A producer that reports as told: no network; and exporters over it."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from exporters.kafka.tests.numbered import numbers
from fapilog import ExportOutcome, LogBatch
from fapilog_exporter_kafka import KafkaExporter
from tests.servers.kafka_reading import Read


@dataclass(frozen=True)
class Told:
    """What becomes of one message: is it written, what is reported, and after how many polls.

    Attributes:
        code: Of the error; None: no error.
        written: Whether it is in the topic.
        polls: How often the producer is asked before it says so.
        full: There is no room for the message at all.
    """

    code: int | None = None
    written: bool = True
    polls: int = 0
    full: bool = False


class Log:
    """A topic, and what producers are told about messages, in their order; afterwards all are taken.

    Args:
        told: One for each message.
        limit_bytes: The largest message that it takes.
    """

    def __init__(self, told: Iterable[Told] = (), limit_bytes: int | None = None) -> None:
        self.told = deque(told)
        self.limit_bytes = limit_bytes
        self.messages: list[Read] = []
        self.producers: list[LogProducer] = []
        self.kind = LogProducer

    def make(self, given: dict[str, Any], logger: object) -> "LogProducer":
        self.producers.append(self.kind(self, given))
        return self.producers[-1]

    def numbers(self) -> list[int]:
        return [number for message in self.messages for number in numbers(message.records)]


class LogProducer:
    """As `confluent_kafka.Producer`, as far as the exporter uses it."""

    def __init__(self, log: Log, given: dict[str, Any]) -> None:
        self.given = given
        self._log = log
        self._lock = threading.Lock()
        self._reports: list[list[Any]] = []
        self._errors: deque[KafkaError] = deque()
        self._news = threading.Event()

    def __len__(self) -> int:
        return len(self._reports) + len(self._errors)

    def produce(self, topic: str, value: bytes, key: bytes | None, on_delivery: Callable[..., None]) -> None:
        told = self._log.told.popleft() if self._log.told else Told()
        if told.full:
            raise BufferError("queue full")
        if self._log.limit_bytes is not None and len(value) > self._log.limit_bytes:
            told = Told(KafkaError.MSG_SIZE_TOO_LARGE, written=False)
        with self._lock:
            if told.written:
                self._log.messages.append(Read(0, key, value))
            self._reports.append([told.polls, told.code, on_delivery])
        self._news.set()

    def fail(self, error: KafkaError) -> None:
        """Tell of an error that is no message's own."""
        self._errors.append(error)
        self._news.set()

    def poll(self, seconds: float) -> int:
        if not self._reports and not self._errors:
            self._news.wait(seconds)
        self._news.clear()
        while self._errors:
            error = self._errors.popleft()
            if error.fatal():  # as the real one: it is raised, and the callback hears nothing
                raise KafkaException(error)
            self.given["error_cb"](error)
        with self._lock:
            due = [report for report in self._reports if report[0] <= 0]
            self._reports = [report for report in self._reports if report[0] > 0]
            for report in self._reports:
                report[0] -= 1
        for _, code, on_delivery in due:
            on_delivery(None if code is None else KafkaError(code), None)
        return len(due)

    def purge(self) -> None:
        with self._lock:
            for report in self._reports:
                report[:2] = [0, KafkaError._PURGE_INFLIGHT]


def exporter_to(log: Log, **given: Any) -> KafkaExporter:
    return KafkaExporter(make_producer=log.make, **{"acknowledgement_wait_millis": 10_000, **given})


def export(exporter: KafkaExporter, batch: LogBatch) -> ExportOutcome:
    return asyncio.run(exporter.export_batch(batch))


def export_all(exporter: KafkaExporter, batch: LogBatch, at_most: int = 60) -> ExportOutcome:
    """As delivery does: again and again while there is something left; the sum of the outcomes."""
    delivered = rejected = 0
    for _ in range(at_most):
        outcome = export(exporter, batch)
        delivered, rejected = delivered + outcome.delivered, rejected + outcome.rejected
        if not outcome.retry:
            break
    return ExportOutcome(delivered, rejected, outcome.retry, None, outcome.cause, outcome.error_type)
