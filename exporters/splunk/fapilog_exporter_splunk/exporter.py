"""`SplunkHecExporter`: batches to the HTTP Event Collector. Stage 6 of 7, export. Thread: delivery loop.

`events` encodes, `progress` remembers, `connection` posts, `answers` reads; here they are put together.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from fapilog import ExportOutcome, LogBatch
from fapilog.exporters.http import Client, HttpError, make_client, run_aside, shown
from fapilog_exporter_splunk import answers
from fapilog_exporter_splunk.acknowledgement import Acknowledgements
from fapilog_exporter_splunk.answers import Answer, Fate
from fapilog_exporter_splunk.connection import Connection
from fapilog_exporter_splunk.events import encode
from fapilog_exporter_splunk.progress import Piece, Progress
from fapilog_exporter_splunk.settings import SplunkHecSettings

# A record that the encoder found no event for.
_NOT_ENCODED = "not_encoded"


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        requests: Requests with events, whatever became of them.
        delivered: Events that the collector took; with `ack`, that indexers have written.
        dropped: Events that were given up, by reason.
        resent: Events that may have arrived and were sent again: they may be there twice.
    """

    requests: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    resent: int = 0


class SplunkHecExporter:
    """Sends each batch as events of Splunk's HTTP Event Collector.

    Args:
        settings: Default: from variables and `given`.
        client: What posts; None: the native client.
        wall_clock: Unix seconds, for a `Retry-After` that is a date.
        clock: Monotonic seconds.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> exporter = SplunkHecExporter(url="https://splunk.example:8088", token="not-a-token")
        >>> exporter
        <SplunkHecExporter to https://splunk.example:8088>
        >>> exporter.max_in_flight, exporter.statistics.delivered
        (4, 0)
    """

    name = "splunk_hec"

    def __init__(
        self,
        settings: SplunkHecSettings | None = None,
        *,
        client: Client | None = None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        **given: Any,
    ) -> None:
        self.settings = settings if settings is not None else SplunkHecSettings.load(**given)
        self.max_in_flight = self.settings.in_flight
        self.statistics = Statistics()
        if client is None:
            client = make_client(
                self.settings,
                "fapilog-exporter-splunk",
                timeout_millis=self.settings.timeout_millis,
                max_connections=self.settings.in_flight + 1,
            )
        self._client = client
        self._wall_clock = wall_clock
        self._clock = clock
        self._unfinished: WeakKeyDictionary[LogBatch, Progress] = WeakKeyDictionary()
        self._closed = False
        self._process = 0

    def __repr__(self) -> str:
        return f"<SplunkHecExporter to {self.settings.url}>"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send what is left of the batch; the events that were decided before are not sent again."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down")
        self._begin_process()
        progress = self._unfinished.pop(batch, None)
        try:
            if progress is None:
                events = await run_aside(lambda: encode(batch, self.settings), "fapilog-splunk")
                progress = Progress(events, self.settings)
                if missing := len(batch) - len(events):
                    progress.dropped[_NOT_ENCODED] += missing
            return await self._work(progress)
        finally:
            if progress is not None and not progress.done:
                self._unfinished[batch] = progress

    async def check_health(self) -> tuple[int, str]:
        """Return status and text of the collector's health endpoint: 200 when it takes events.

        Raises:
            OSError: If there is no answer.
        """
        self._begin_process()
        return await self._connection.health()

    async def force_flush(self, timeout_millis: int) -> bool:  # noqa: ARG002 - by the protocol
        """Nothing is held here: what was not taken is with the pipeline."""
        return True

    async def shutdown(self, timeout_millis: int) -> None:  # noqa: ARG002 - by the protocol
        """Take nothing more."""
        self.close()

    def close(self) -> None:
        """Take nothing more; for whoever has no loop."""
        self._closed = True

    def _begin_process(self) -> None:
        """A forked child has connections, a channel and acknowledgements of its own."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._connection = Connection(self.settings, self._client)
        self._acks = Acknowledgements(self._connection, self.settings.ack_poll_millis / 1_000, self._clock)
        self._healthy = not self.settings.health_check
        self._not_found_since: float | None = None

    async def _work(self, progress: Progress) -> ExportOutcome:
        if not self._healthy and (unhealthy := await self._unhealthy()) is not None:
            return self._outcome(progress, unhealthy)
        while not progress.done:
            piece = progress.next()
            if piece is None:
                if not await self._acks.wait(progress, self.settings.ack_wait_millis / 1_000):
                    cause = "indexers have not acknowledged yet"
                    return self._outcome(progress, Answer(Fate.LATER, cause=cause, reason="not_acknowledged"))
                continue
            answer = await self._attempt(progress, piece)
            if answer is not None:
                return self._outcome(progress, answer)
        return self._outcome(progress, None)

    async def _attempt(self, progress: Progress, piece: Piece) -> Answer | None:
        """One request; None to go on, else why the rest must wait."""
        events = progress.events
        self.statistics.requests += 1
        try:
            response, channel = await self._connection.send(
                lambda: events.body(piece.start, piece.end),
                events.target(piece.start),
                lambda: progress.uncertain(len(piece)),
            )
        except OSError as error:
            progress.uncertain(len(piece))
            timed_out = isinstance(error, HttpError) and error.timeout
            reason = "timeout" if timed_out else type(error).__name__
            return Answer(Fate.LATER, cause=shown(self._connection.hide(str(error))), reason=reason)
        answer = answers.read(response, len(piece), self._wall_clock(), self._connection.hide)
        return self._applied(progress, answer, channel)

    def _applied(self, progress: Progress, answer: Answer, channel: str) -> Answer | None:
        settings, now = self.settings, self._clock()
        final = settings.refused_token == "reject"  # noqa: S105  # nosec B105 - a choice
        if answer.fate is Fate.NOT_FOUND:
            since = self._not_found_since = now if self._not_found_since is None else self._not_found_since
            final = now - since >= settings.not_found_retry_millis / 1_000
        else:
            self._not_found_since = None
        key = (channel, answer.ack_id) if settings.ack and answer.ack_id is not None else None
        if key is not None:
            self._acks.register(key, progress)
        deadline = now + settings.ack_timeout_millis / 1_000
        if progress.apply(answer, key=key, deadline=deadline, final=final):
            return None
        if answer.fate is Fate.TOKEN:
            return replace(answer, retry_after_millis=settings.refused_token_pause_millis)
        return answer

    async def _unhealthy(self) -> Answer | None:
        try:
            status, text = await self._connection.health()
        except OSError as error:
            cause = shown(self._connection.hide(str(error)))
            return Answer(Fate.LATER, cause=f"no answer about its health: {cause}", reason="unhealthy")
        self._healthy = status == 200
        if self._healthy:
            return None
        return Answer(
            Fate.LATER, cause=f"the collector is not healthy: HTTP {status} {shown(text)}", reason="unhealthy"
        )

    def _outcome(self, progress: Progress, waits: Answer | None) -> ExportOutcome:
        """What was decided since the last call, and why the rest waits."""
        delivered, dropped = progress.report()
        said = self.statistics
        said.delivered += delivered
        said.dropped += dropped
        said.resent += progress.resent
        progress.resent = 0
        reason, cause = (waits.reason, waits.cause) if waits is not None else ("", "")
        if dropped:
            counts = ", ".join(f"{number} {each}" for each, number in dropped.most_common())
            most = dropped.most_common(1)[0][0]
            told = f"dropped {counts}: {progress.causes.get(most, '')}".rstrip(": ")
            reason, cause = reason or most, f"{cause}; {told}" if cause else told
        return ExportOutcome(
            delivered,
            dropped.total(),
            retry=waits is not None,
            retry_after_millis=waits.retry_after_millis if waits is not None else None,
            cause=cause,
            error_type=reason,
        )
