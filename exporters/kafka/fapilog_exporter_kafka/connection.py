"""One producer of librdkafka for one process, and the thread that takes its reports.

Stage 6 of 7, export. Threads: delivery loop; a daemon thread, the poller; librdkafka's own. librdkafka
keeps the order of what it sends again, and repeats nothing while it tries (`enable.idempotence`).
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from confluent_kafka import KafkaError, KafkaException, Producer

from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.http import run_aside, shown, without
from fapilog_exporter_kafka.messages import Message
from fapilog_exporter_kafka.reports import Fate, Report, read
from fapilog_exporter_kafka.settings import KafkaSettings

_log = logging.getLogger("fapilog_exporter_kafka")
_POLL_SECONDS = 0.1
# Without a message on its way there are no reports; tokens are renewed, and errors heard, this often.
_IDLE_SECONDS = 1.0
# What concerns the whole cluster, not one broker of several.
_DOWN = frozenset({"_ALL_BROKERS_DOWN", "_AUTHENTICATION", "_SSL"})
_GIVE_UP_SECONDS = 2.0
_SHORTEST_SECRET = 4

MakeProducer = Callable[..., Any]


class Connection:
    """A producer in this process.

    Args:
        settings: Where, how, with which password.
        make: Makes the producer; tests put another in its place.
        more: Callbacks among librdkafka's properties.
        alone: Each message goes for itself; else librdkafka puts several into one batch.

    Attributes:
        trouble: The last error that was no message's own.
        heard: How many of them there were.
        down: The whole cluster was in trouble, and nothing was delivered since.
        broken: The producer can send nothing more.
        hide: Takes passwords out of a text.
        crowded: A batch of messages was too large; each alone may not be.
    """

    def __init__(
        self, settings: KafkaSettings, make: MakeProducer, more: dict[str, Any], *, alone: bool = False
    ) -> None:
        self._settings = settings
        self.hide = hiding(settings)
        self._process = os.getpid()
        self._stop = threading.Event()
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._polling: asyncio.Future[Any] | None = None
        self._listeners: set[Callable[[], object]] = set()
        self.trouble: Report | None = None
        self.heard = 0
        self.down = False
        self.broken = False
        self.crowded = False
        self._alone = alone
        self._retired = False
        given = {**settings.librdkafka(), **more, "error_cb": self._failed}
        if alone:
            given["batch.num.messages"] = 1
        self._producer: Any = make(given, logger=_Quiet(self.hide))
        _here.add(self)

    def start(self) -> None:
        """Start the poller, which needs the running loop."""
        if self._polling is None:
            self._ended.clear()
            self._polling = asyncio.ensure_future(run_aside(self._poll, "fapilog-kafka"))
            self._polling.add_done_callback(self._polled)

    @property
    def ended(self) -> bool:
        """Whether no report comes any more."""
        return self._ended.is_set()

    def send(self, message: Message, report: Callable[[Report], object]) -> None:
        """Hand a message to librdkafka.

        Raises:
            BufferError: If its queue is full, or it was closed: the same message later.
            KafkaException: If it takes none such.
        """
        if self._stop.is_set() or self._retired:
            raise BufferError("closed")

        def reported(error: KafkaError | None, _: object) -> None:
            if error is None:
                self.down = False
            said = read(error, self.hide)
            if said.fate is Fate.TOO_LARGE and not self._alone:
                self.crowded = True
                said = replace(said, fate=Fate.LATER)
            report(said)

        self._producer.produce(self._settings.topic, message.value, key=message.key, on_delivery=reported)
        self._wanted.set()

    def listen(self, listener: Callable[[], object]) -> None:
        """Call it, from the poller, when the whole cluster is in trouble."""
        self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], object]) -> None:
        """Call it no more."""
        self._listeners.discard(listener)

    def retire(self) -> None:
        """Take nothing more, and end when all that is on its way is reported."""
        self._retired = True
        self._wanted.set()

    def close(self) -> None:
        """Give up what is on its way: the pipeline has it still. The poller reports it, and ends."""
        if self._process != os.getpid():
            return
        self._stop.set()
        self._wanted.set()

    async def closed(self, timeout_millis: int) -> None:
        """Wait until the poller has ended."""
        await run_aside(lambda: self._ended.wait(timeout_millis / 1_000), "fapilog-kafka-end")

    def abandon(self) -> None:
        """Never touch it again: a forked child lacks its threads, and its end would wait for them."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._producer))
        self._producer = None

    def _polled(self, polling: asyncio.Future[Any]) -> None:
        """The poller failed, or could not be started: nothing is reported over this connection any more."""
        if not polling.cancelled() and (error := polling.exception()) is not None:
            self.trouble = Report(Fate.LATER, type(error).__name__, self.hide(f"nobody polls: {error}"))
            self.heard += 1
            self.broken = self.down = True
            self._ended.set()
            for listener in tuple(self._listeners):
                listener()

    def _poll(self) -> None:
        try:
            while not self._stop.is_set():
                producer = self._producer
                if self._retired and not len(producer):
                    break
                if not len(producer):
                    self._wanted.wait(_IDLE_SECONDS)
                    self._wanted.clear()
                self._serve(_POLL_SECONDS if len(producer) else 0)
            self._give_up()
        finally:
            self._ended.set()

    def _give_up(self) -> None:
        """Have librdkafka report what is on its way; bounded, because nobody may wait for ever."""
        until = time.monotonic() + _GIVE_UP_SECONDS
        with suppress(KafkaException):
            self._producer.purge()
        while len(self._producer) and time.monotonic() < until:
            self._serve(_POLL_SECONDS)
        self._producer = None

    def _serve(self, seconds: float) -> None:
        """Let reports and errors come in; a fatal error is raised here, and by no callback."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            self._failed(error.args[0])
        except Exception as error:  # of a callback of the application, such as `oauth_token`
            cause = shown(self.hide(f"{type(error).__name__}: {error}"))
            self.trouble = Report(Fate.LATER, type(error).__name__, cause)
            self.heard += 1

    def _failed(self, error: KafkaError) -> None:
        """Hear of an error that is no message's own. Thread: the poller."""
        self.trouble = read(error, self.hide)
        self.heard += 1
        self.broken = self.broken or self.trouble.fatal
        _log.debug("librdkafka: %s", self.trouble.cause)
        if self.broken or self.trouble.reason in _DOWN:
            self.down = True
            for listener in tuple(self._listeners):
                with suppress(RuntimeError):  # that loop has ended
                    listener()


_here: WeakSet[Connection] = WeakSet()


def _abandon_all() -> None:
    for connection in tuple(_here):
        connection.abandon()
    _here.clear()


os.register_at_fork(after_in_child=_abandon_all)


class _Quiet:
    """librdkafka's own lines, for who wants them: the pipeline says what matters, once."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide

    def log(self, _level: int, form: str, *values: Any) -> None:
        """As `logging.Logger.log`, at DEBUG."""
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s", self._hide(form % values if values else form))


def hiding(settings: KafkaSettings) -> Callable[[str], str]:
    """Return what takes passwords out of a text."""
    secrets = [each for each in settings.secrets() if len(each) >= _SHORTEST_SECRET]
    return lambda text: without(text, secrets)


def check(settings: KafkaSettings) -> None:
    """Let librdkafka read its properties and the certificates, without connecting anywhere.

    Raises:
        ConfigurationError: `setting-invalid`, if it does not take one.
    """
    given = settings.librdkafka()
    del given["bootstrap.servers"]
    try:
        Producer(given, logger=_Quiet(hiding(settings)))
    except (KafkaException, TypeError, ValueError) as error:
        first = error.args[0] if error.args else error
        text = first.str() if isinstance(first, KafkaError) else str(first)
        what = f"librdkafka refuses the settings of the exporter kafka: {hiding(settings)(text)}"
        remedy = "correct the certificates, the properties or the login that it names"
        raise ConfigurationError([Problem("setting-invalid", what, (), remedy)]) from None
