"""`SentryExporter`: envelopes to one project. Stage 6 of 7, export. Thread: delivery loop.

The envelope protocol, and not Sentry's SDK: that has a queue of its own, drops what it cannot send, and tells
nobody how many.
"""

from __future__ import annotations

import gzip
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from fapilog import ExportOutcome, LogBatch, PipelineLogRecordExporter, PluginMetadata
from fapilog.exporters.http import Client, HttpError, Response, make_client, run_aside, shown, without

from sentry_events import answers
from sentry_events.answers import Answer, Fate
from sentry_events.envelopes import SDK, Category, Envelope, envelopes
from sentry_events.payloads import records_of
from sentry_events.settings import SentrySettings

_COMPRESS_FROM_BYTES = 1_024
# Limits by their categories: the empty one is for all.
_LIMITED_BY: dict[Category, tuple[str, ...]] = {
    "error": ("", "error"),
    "log_item": ("", "log_item", "log_byte"),
}


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        requests: Requests, whatever became of them.
        taken: Records that Sentry took.
        refused: Records that it refused for good.
        resent: Logs that may have arrived and were sent again: they may be there twice. Events are not, as
            Sentry keeps the first of an id.
    """

    requests: int = 0
    taken: int = 0
    refused: int = 0
    resent: int = 0


@dataclass
class _Progress:
    """What is left of one batch."""

    todo: deque[Envelope]
    delivered: int = 0
    rejected: int = 0
    refusal: Answer | None = field(default=None)


class SentryExporter:
    """Sends each batch to a project of Sentry: errors as events, all else as logs.

    Args:
        settings: Default: from variables and `given`.
        client: What posts; None: the native client.
        wall_clock: Unix seconds.
        clock: Monotonic seconds.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> SentryExporter(dsn="https://public@sentry.example/42")
        <SentryExporter to https://sentry.example/api/42/envelope/>
    """

    name = "sentry"

    def __init__(
        self,
        settings: SentrySettings | None = None,
        *,
        client: Client | None = None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        **given: Any,
    ) -> None:
        self.settings = settings if settings is not None else SentrySettings.load(**given)
        self.max_in_flight = self.settings.max_in_flight
        self.statistics = Statistics()
        self._project = self.settings.project
        if client is None:
            client = make_client(
                self.settings,
                "fapilog",
                timeout_millis=self.settings.timeout_millis,
                max_connections=self.settings.max_in_flight,
            )
        self._client = client
        self._wall_clock, self._clock = wall_clock, clock
        # Sentry's own SDK does so too: what is in no trace is in one of the process.
        self._trace_id = uuid4().hex
        self._limited_until: dict[str, float] = {}
        self._unfinished: WeakKeyDictionary[LogBatch, _Progress] = WeakKeyDictionary()
        self._closed = False

    def __repr__(self) -> str:
        return f"<SentryExporter to {self._project.url}>"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send what is left of the batch; envelopes that were taken before are not sent again."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down")
        progress = self._unfinished.pop(batch, None)
        try:
            if progress is None:
                progress = _Progress(await run_aside(lambda: self._envelopes(batch), "sentry-events"))
            return await self._work(progress)
        finally:
            if progress is not None and progress.todo:
                self._unfinished[batch] = progress

    async def shutdown(self, timeout_millis: int) -> None:  # noqa: ARG002 - by the protocol
        """Take nothing more."""
        self.close()

    def close(self) -> None:
        """Take nothing more; for whoever has no loop."""
        self._closed = True

    def _envelopes(self, batch: LogBatch) -> deque[Envelope]:
        return deque(envelopes(records_of(batch), self.settings, self._trace_id))

    async def _work(self, progress: _Progress) -> ExportOutcome:
        last: Answer | None = None
        while progress.todo:
            envelope = next((each for each in progress.todo if not self._pause_millis(each.category)), None)
            if envelope is None:
                return self._outcome(progress, last or self._limited(progress))
            answer = await self._ask(envelope)
            if self._apply(progress, envelope, answer):
                continue
            if not self._pause_millis(envelope.category):
                return self._outcome(progress, answer)
            last = answer  # its category waits, the other one goes on
        return self._outcome(progress, None)

    def _limited(self, progress: _Progress) -> Answer:
        pauses = {each.category: self._pause_millis(each.category) for each in progress.todo}
        cause = f"Sentry takes no {' and no '.join(pauses)} for now"
        return Answer(Fate.LATER, min(pauses.values()), cause=cause, reason="rate_limited")

    async def _ask(self, envelope: Envelope) -> Answer:
        self.statistics.requests += 1
        try:
            response: Response = await run_aside(lambda: self._post(envelope), "sentry-events")
        except HttpError as error:
            # A batch that is cancelled comes here no more; its logs are counted when they are sent again.
            return Answer(Fate.LATER, cause=self._hide(str(error)), reason="no_answer", uncertain=True)
        now = self._wall_clock()
        answer = answers.read(response, now, self.settings.refused_pause_millis)
        for category, millis in answer.limits.items():
            until = self._clock() + millis / 1_000
            self._limited_until[category] = max(until, self._limited_until.get(category, 0.0))
        return answer

    def _post(self, envelope: Envelope) -> Response:
        body = envelope.content(self._wall_clock())
        client = f"{SDK['name']}/{SDK['version']}"
        headers = [
            ("content-type", "application/x-sentry-envelope"),
            (
                "x-sentry-auth",
                f"Sentry sentry_version=7, sentry_client={client}, sentry_key={self._project.key}",
            ),
        ]
        if self.settings.compression == "gzip" and len(body) >= _COMPRESS_FROM_BYTES:
            body = gzip.compress(body, 1)
            headers.append(("content-encoding", "gzip"))
        return self._client.post(self._project.url, headers, body)

    def _apply(self, progress: _Progress, envelope: Envelope, answer: Answer) -> bool:
        """Take an answer to the first envelope; tell whether to go on at once."""
        if answer.fate is Fate.LATER:
            if answer.uncertain and envelope.category == "log_item":
                self.statistics.resent += len(envelope)
            return False
        progress.todo.remove(envelope)
        if answer.fate is Fate.TAKEN:
            progress.delivered += len(envelope)
            self.statistics.taken += len(envelope)
        elif answer.fate is Fate.TOO_LARGE and len(envelope) > 1:
            progress.todo.extendleft(reversed(envelope.halves()))
        else:
            progress.rejected += len(envelope)
            progress.refusal = answer
            self.statistics.refused += len(envelope)
        return True

    def _pause_millis(self, category: Category) -> int:
        """The rest of a pause that Sentry asked for; 0: there is none."""
        until = max(self._limited_until.get(name, 0.0) for name in _LIMITED_BY[category])
        return max(0, round((until - self._clock()) * 1_000))

    def _outcome(self, progress: _Progress, last: Answer | None) -> ExportOutcome:
        """What was decided since the last outcome."""
        delivered, rejected, refusal = progress.delivered, progress.rejected, progress.refusal
        progress.delivered, progress.rejected, progress.refusal = 0, 0, None
        said = last or refusal
        pause = None if last is None else last.pause_millis
        return ExportOutcome(
            delivered,
            rejected,
            retry=last is not None,
            retry_after_millis=pause,
            cause=self._hide(said.cause) if said else "",
            error_type=said.reason if said else "",
        )

    def _hide(self, text: str) -> str:
        return shown(without(text, [self._project.key]))


class SentryLogExporter(PipelineLogRecordExporter):
    """The exporter `sentry`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> SentryLogExporter(dsn="https://public@sentry.example/42").name
        'sentry'
    """

    fapilog_plugin = PluginMetadata(
        name="sentry",
        version="0.1.0",
        type="exporter",
        description="Sends errors to Sentry as events, all else as logs.",
        settings=SentrySettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = SentryExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight
