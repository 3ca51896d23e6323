"""`KafkaExporter`: batches as messages of OTLP. Stage 6 of 7, export. Thread: delivery loop.

`messages` encodes, `progress` remembers, `connection` sends, `reports` reads; here they are put together.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from confluent_kafka import KafkaException, Producer

from fapilog import ExportOutcome, LogBatch
from fapilog.exporters.http import run_aside
from fapilog_exporter_kafka.connection import Connection, MakeProducer, check, hiding
from fapilog_exporter_kafka.messages import encode
from fapilog_exporter_kafka.progress import Progress, Statistics
from fapilog_exporter_kafka.reports import Fate, Report, read
from fapilog_exporter_kafka.settings import KafkaSettings

# With the whole cluster away, the pipeline learns of it, and says so, this soon.
_DOWN_SECONDS = 1.0
_FULL = Report(Fate.LATER, "_QUEUE_FULL", "librdkafka's queue is full")
_ENDED = Report(Fate.LATER, "not_acknowledged", "the producer that had it has ended", uncertain=True)
_NOT_ACKNOWLEDGED = Report(Fate.LATER, "not_acknowledged", "the brokers have not acknowledged yet")


class KafkaExporter:
    """Sends each batch as messages that the Collector's kafka receiver reads as `otlp_proto`.

    A record is delivered when all replicas in sync have it. While librdkafka tries, nothing is repeated.

    Args:
        settings: Default: from variables and `given`.
        oauth_token: For `sasl_mechanism` `OAUTHBEARER`: called with `sasl.oauthbearer.config`, in the
            poller's thread; returns a token and the Unix time of its end.
        make_producer: Makes the producer; tests put another in its place.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> exporter = KafkaExporter(brokers=["kafka-1.example:9093"], tls=True)
        >>> exporter
        <KafkaExporter to otlp_logs at kafka-1.example:9093>
        >>> exporter.max_in_flight, exporter.statistics.delivered
        (4, 0)
    """

    name = "kafka"

    def __init__(
        self,
        settings: KafkaSettings | None = None,
        *,
        oauth_token: Callable[[str], tuple[str, float]] | None = None,
        make_producer: MakeProducer = Producer,
        **given: Any,
    ) -> None:
        self.settings = settings if settings is not None else KafkaSettings.load(**given)
        self.max_in_flight = self.settings.max_in_flight
        self.statistics = Statistics()
        self._make = make_producer
        self._more = {} if oauth_token is None else {"oauth_cb": oauth_token}
        check(self.settings)
        self._unfinished: WeakKeyDictionary[LogBatch, Progress] = WeakKeyDictionary()
        self._over: WeakKeyDictionary[Progress, Connection] = WeakKeyDictionary()
        self._connection: Connection | None = None
        self._retired: list[Connection] = []
        self._process = 0
        self._lock = threading.Lock()
        self._alone = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<KafkaExporter to {self.settings.topic} at {', '.join(self.settings.brokers)}>"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send what is left of the batch, and wait for reports; what is on its way is not sent again."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down")
        try:
            connection = await self._connect()
        except KafkaException as error:
            why = read(error.args[0], hiding(self.settings))
            return ExportOutcome(retry=True, cause=why.cause, error_type=why.reason)
        progress = self._unfinished.pop(batch, None)
        try:
            if progress is None:
                progress = await self._encode(batch)
            return await self._work(connection, progress)
        finally:
            if progress is not None and not progress.done:
                self._unfinished[batch] = progress

    async def force_flush(self, timeout_millis: int) -> bool:  # noqa: ARG002 - by the protocol
        """Nothing is held here that the pipeline does not wait for."""
        return True

    async def shutdown(self, timeout_millis: int) -> None:
        """Take nothing more, and give up what is on its way: the pipeline has it still."""
        self.close()
        if self._connection is not None and self._process == os.getpid():
            await self._connection.closed(timeout_millis)

    def close(self) -> None:
        """Take nothing more; for whoever has no loop."""
        self._closed = True
        for connection in (self._connection, *self._retired):
            if connection is not None:
                connection.close()

    async def _connect(self) -> Connection:
        """Return this process's connection; a forked child has one of its own.

        Raises:
            KafkaException: If librdkafka makes none now, such as for want of a token.
        """
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
            self._connection, self._retired, self._unfinished = None, [], WeakKeyDictionary()
        connection = self._usable()
        if connection is None:
            # It may read files, and wait seconds for a token.
            connection = await run_aside(self._renewed, "fapilog-kafka-begin")
        connection.start()
        return connection

    def _usable(self) -> Connection | None:
        connection = self._connection
        return None if connection is None or connection.broken or connection.crowded else connection

    def _renewed(self) -> Connection:
        """Return the connection that is made in place of none, or of one that can be used no more."""
        with self._lock:
            if (usable := self._usable()) is not None:
                return usable
            before, self._connection = self._connection, None
            if before is not None and before.broken:
                before.close()  # what is on its way comes back, and goes over the new one
            elif before is not None:
                before.retire()
                self._retired.append(before)
                self._alone = True
            self._connection = made = Connection(self.settings, self._make, self._more, alone=self._alone)
            if self._closed:
                made.close()
            return made

    async def _encode(self, batch: LogBatch) -> Progress:
        settings = self.settings
        encoded = await run_aside(lambda: encode(batch, settings.key, settings.limit_bytes), "fapilog-kafka")
        return Progress(encoded, len(batch))

    async def _work(self, connection: Connection, progress: Progress) -> ExportOutcome:
        """Send what is to be sent, and wait for reports while there is hope for them."""
        loop = asyncio.get_running_loop()
        begun, patience = loop.time(), self.settings.acknowledgement_wait_millis / 1_000
        changed = asyncio.Event()
        ring = partial(loop.call_soon_threadsafe, changed.set)
        heard = connection.heard
        self._move(progress, connection)
        progress.begin(ring)
        connection.listen(ring)
        try:
            while True:
                changed.clear()
                progress.read_letters()
                full = self._send(connection, progress)
                down = connection.down or connection.broken
                left = begun + (min(patience, _DOWN_SECONDS) if down else patience) - loop.time()
                if not progress.waits or left <= 0:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await changed.wait()
        finally:
            connection.unlisten(ring)
        heard_of = connection.down or connection.heard != heard
        trouble = connection.trouble if heard_of else None
        # Of a broken producer all messages say the same, and it alone says why.
        why = trouble if connection.broken else progress.later or trouble
        return self._outcome(progress, why or (_FULL if full else _NOT_ACKNOWLEDGED))

    def _move(self, progress: Progress, connection: Connection) -> None:
        """What a producer had that has ended since, and never reported, goes over this one."""
        before, self._over[progress] = self._over.get(progress), connection
        if before is not None and before is not connection and before.ended:
            progress.read_letters()
            progress.give_back(_ENDED)

    def _send(self, connection: Connection, progress: Progress) -> bool:
        """Hand messages to librdkafka; True when its queue is full."""
        while (taken := progress.take()) is not None:
            number, message = taken
            try:
                connection.send(message, partial(progress.report, number))
            except BufferError:
                progress.put_back(number)
                return True
            except KafkaException as error:
                # It never left this process.
                said = read(error.args[0], connection.hide)
                progress.report(number, replace(said, uncertain=False))
            self.statistics.messages += 1
        return False

    def _outcome(self, progress: Progress, why: Report) -> ExportOutcome:
        """What was decided since the last call, and why the rest waits."""
        delivered, dropped, resent = progress.told()
        said = self.statistics
        said.delivered += delivered
        said.dropped += dropped
        said.resent += resent
        reason, cause = ("", "") if progress.done else (why.reason, why.cause)
        if dropped:
            most = dropped.most_common(1)[0][0]
            counts = ", ".join(f"{number} {each}" for each, number in dropped.most_common())
            told = f"dropped {counts}: {progress.causes[most]}"
            reason, cause = most, f"{told}; {cause}" if cause else told
        return ExportOutcome(
            delivered, dropped.total(), retry=not progress.done, cause=cause, error_type=reason
        )
