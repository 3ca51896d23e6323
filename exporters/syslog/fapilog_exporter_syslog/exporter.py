"""`SyslogExporter`: batches to a syslog server. Stage 6 of 7, export. Thread: delivery loop.

`messages` encodes, `link` writes; here is decided what counts as delivered and what is sent again.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from fapilog import ConfigurationError, ExportOutcome, LogBatch
from fapilog.errors import Problem
from fapilog.exporters.http import run_aside, shown
from fapilog_exporter_syslog.link import Link, LinkClosedError, Sending
from fapilog_exporter_syslog.messages import Encoder, Messages
from fapilog_exporter_syslog.settings import SyslogSettings

MESSAGE_TOO_LARGE = "message_too_large"
# Of one call; below `delivery.timeout_millis` (30,000), which would cancel it in the middle of a message.
_CALL_SECONDS = 15.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.02


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        connections: Connections that were opened.
        delivered: Messages that count as delivered.
        dropped: Records that were given up, by reason.
        cut: Messages that were cut because they were too large.
        resent: Messages that may have arrived and were sent again: they may be there twice.
    """

    connections: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    resent: int = 0


@dataclass(eq=False)
class _Progress:
    """Where one batch stands.

    Attributes:
        messages: All of it.
        place: The first message that does not count as delivered.
        uncertain: Messages from there on that an attempt handed over, and that may have arrived.
        rejected: Records dropped and not yet reported.
    """

    messages: Messages
    place: int = 0
    uncertain: int = 0
    rejected: int = 0

    @property
    def done(self) -> bool:
        """Whether every message counts as delivered."""
        return self.place >= len(self.messages.frames)


class SyslogExporter:
    """Sends each record as a message of RFC 5424, over one connection that is kept.

    Args:
        settings: Default: from variables and `given`.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong, or a certificate cannot be used.

    Example:
        >>> exporter = SyslogExporter(endpoint="tls://syslog.example")
        >>> exporter
        <SyslogExporter to tls://syslog.example:6514>
        >>> exporter.max_in_flight, exporter.statistics.delivered
        (16, 0)
    """

    name = "syslog"

    def __init__(self, settings: SyslogSettings | None = None, **given: Any) -> None:
        self.settings = settings if settings is not None else SyslogSettings.load(**given)
        self.max_in_flight = self.settings.max_in_flight
        self.statistics = Statistics()
        self._encoder = Encoder(self.settings)
        self._context = _context(self.settings)
        self._unfinished: WeakKeyDictionary[LogBatch, _Progress] = WeakKeyDictionary()
        self._closed = False
        self._link: Link | None = None
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<SyslogExporter to {self.settings.endpoint}>"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send what is left of the batch; what counts as delivered is not sent again."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down", error_type="shutdown")
        self._begin()
        progress = self._unfinished.pop(batch, None)
        try:
            if progress is None:
                progress = self._started(
                    await run_aside(lambda: self._encoder.encode(batch), "fapilog-syslog")
                )
            return await self._work(progress)
        finally:
            if progress is not None and not progress.done:
                self._unfinished[batch] = progress

    async def force_flush(self, timeout_millis: int) -> bool:  # noqa: ARG002 - by the protocol
        """Nothing is held here: what does not count as delivered is with the pipeline."""
        return True

    async def shutdown(self, timeout_millis: int) -> None:
        """Take nothing more, and close in order, so that the server reads all before the end."""
        self._closed = True
        link, self._link = self._link, None
        if link is None or self._process != os.getpid():
            return
        try:
            await run_aside(lambda: link.finish(timeout_millis / 1_000), "fapilog-syslog")
        finally:
            link.give_up("the exporter is shut down")

    def close(self) -> None:
        """Take nothing more, and close at once; for whoever has no loop."""
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.forget() if self._process != os.getpid() else link.give_up("the exporter is closed")

    def _begin(self) -> None:
        """A forked child has a connection of its own; each loop has a lock of its own."""
        loop = asyncio.get_running_loop()
        if self._process != os.getpid():
            self._process, self._loop = os.getpid(), None
            if self._link is not None:
                self._link.forget()
            self._link = None
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
            self._failure: OSError | None = None

    def _started(self, messages: Messages) -> _Progress:
        self.statistics.cut += messages.cut
        if messages.too_large:
            self.statistics.dropped[MESSAGE_TOO_LARGE] += messages.too_large
        return _Progress(messages, rejected=messages.too_large)

    async def _work(self, progress: _Progress) -> ExportOutcome:
        before = progress.place
        try:
            while not progress.done:
                link, sent = await self._send(progress)
                await self._settle(link, sent.mark)
                progress.place += sent.handed
                progress.uncertain = max(0, progress.uncertain - sent.handed)
                if not progress.done:
                    cause = "the server takes messages slowly"
                    return self._outcome(progress, before, cause, "slow")
        except OSError as error:
            if isinstance(error, LinkClosedError):
                return self._outcome(progress, before, str(error), "connection_closed")
            reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            return self._outcome(progress, before, str(error) or reason, reason)
        return self._outcome(progress, before)

    async def _send(self, progress: _Progress) -> tuple[Link, Sending]:
        """Hand over what is left, in turn with other batches; return over which link, and how far it came."""
        failure = self._failure
        async with self._turn:
            if self._failure is not failure and self._failure is not None:
                # Somebody has just tried in vain, while this batch waited.
                raise type(self._failure)(*self._failure.args)
            link = await self._opened()
            frames = progress.messages.frames[progress.place :]
            sending, until = Sending(), time.monotonic() + _CALL_SECONDS
            try:
                await run_aside(lambda: link.send(frames, until, sending), "fapilog-syslog")
            except BaseException as error:
                self._lost(link, error)
                raise
            finally:
                # What an earlier attempt had handed over as well was sent again.
                self.statistics.resent += min(progress.uncertain, sending.handed)
                progress.uncertain = max(progress.uncertain, sending.handed)
            return link, sending

    async def _opened(self) -> Link:
        """The link that there is, if the server has not closed it; else a new one."""
        if self._link is not None and self._link.closed_by_server():
            self._link.give_up("the server has closed the connection")
            self._link = None
        if self._link is None:
            try:
                link: Link = await run_aside(
                    lambda: Link.open(self.settings, self._context), "fapilog-syslog"
                )
            except OSError as error:
                self._failure = error
                raise
            self._link = link
            self.statistics.connections += 1
        return self._link

    async def _settle(self, link: Link, mark: int) -> None:
        """Wait until the server's TCP has all up to a mark, and the connection has stood some time more.

        Raises:
            OSError: If it does not come to that.
        """
        timeout = self.settings.timeout_millis / 1_000
        last, until, pause = 0, 0.0, _FIRST_PAUSE_SECONDS
        while left_bytes := link.unacknowledged_bytes(mark):
            await self._check(link)
            if left_bytes != last:  # a slow server is no dead one
                last, until = left_bytes, time.monotonic() + timeout
            if time.monotonic() >= until:
                error = TimeoutError(f"the server acknowledged nothing more within {timeout:g} s")
                self._lost(link, error)
                raise error
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        until = time.monotonic() + self.settings.settle_millis / 1_000
        while (left := until - time.monotonic()) > 0:
            await self._check(link)
            await asyncio.sleep(min(left, _LONGEST_PAUSE_SECONDS))
        await self._check(link)

    async def _check(self, link: Link) -> None:
        if link.closed_by_server():
            reason: str = await run_aside(link.reason, "fapilog-syslog")
            error = LinkClosedError(reason)
            self._lost(link, error)
            raise error

    def _lost(self, link: Link, error: BaseException) -> None:
        """Nobody writes to this link any more: it may have ended in the middle of a message."""
        link.give_up(str(error) or type(error).__name__)
        if self._link is link:
            self._link = None

    def _outcome(
        self, progress: _Progress, before: int, cause: str = "", error_type: str = ""
    ) -> ExportOutcome:
        delivered, rejected = progress.place - before, progress.rejected
        progress.rejected = 0
        self.statistics.delivered += delivered
        if rejected:
            limit = self.settings.max_message_bytes
            told = f"dropped {rejected} {MESSAGE_TOO_LARGE}: more than {limit} bytes"
            cause, error_type = f"{cause}; {told}" if cause else told, error_type or MESSAGE_TOO_LARGE
        return ExportOutcome(
            delivered, rejected, retry=not progress.done, cause=shown(cause), error_type=error_type
        )


def _context(settings: SyslogSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or later, with the server's certificate checked."""
    if not settings.tls:
        return None
    file = settings.certificate
    try:
        context = ssl.create_default_context(cafile=file)
        file = settings.client_certificate
        if file is not None:
            context.load_cert_chain(file, settings.client_key)
    except (OSError, ValueError) as error:
        what = f"{file} cannot be used for TLS: {error}"
        remedy = "correct the file that certificate, client_certificate or client_key of syslog names"
        raise ConfigurationError([Problem("setting-invalid", what, (), remedy)]) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
