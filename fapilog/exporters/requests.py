"""Stage 6 of 7, export: one batch as one request, or as several when it is too large. Threads: delivery loop.

What an exporter that sends requests has in common with others of its kind: a request over a limit is halved
until it fits, a part that the receiver took is not sent again, and the answers add up to one outcome.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakKeyDictionary

from fapilog import _native
from fapilog.batch import LogBatch
from fapilog.diagnostics import one_line
from fapilog.exporters.base import ExportOutcome

# Longest text of a receiver that is repeated to people; the native exporter shows as much.
_TEXT_CHARACTERS = 200
# `error.type` of a request that is not sent at all, as natively.
REQUEST_TOO_LARGE = "request_too_large"


@dataclass(frozen=True)
class Answer:
    """What one attempt with one request came to.

    Attributes:
        kind: `taken`; `retry`: nothing was taken, later it may be; `too_large`: halves may be taken;
            `refused`: never.
        rejected: Records of a taken request that the receiver refused all the same.
        retry_after_millis: The pause that the receiver asked for.
        cause: Why not everything was taken, for people.
        error_type: The kind of failure, for metrics.
    """

    kind: Literal["taken", "retry", "too_large", "refused"]
    rejected: int = 0
    retry_after_millis: int | None = None
    cause: str = ""
    error_type: str = ""


@dataclass(frozen=True)
class Part:
    """A request with some records of a batch, as uncompressed OTLP.

    Attributes:
        request: An `ExportLogsServiceRequest`.
        records: How many it holds.
        path: Tells the parts of a batch apart, and is the same at each attempt: "" for the whole, "1" for its
            first half, "12" for the second half of that.
    """

    request: bytes
    records: int
    path: str = ""

    def halves(self) -> tuple[Part, Part] | None:
        """Return two parts with half of the records each; None when there is nothing to split."""
        split = _native.split_request(self.request, self.records)
        if split is None:
            return None
        middle = self.records // 2
        first = Part(split[0], middle, f"{self.path}1")
        return first, Part(split[1], self.records - middle, f"{self.path}2")


@dataclass
class _Progress:
    """Where a batch stands between two calls of `export_batch`. The top of the stack is next."""

    todo: list[Part]
    delivered: int = 0
    rejected: int = 0
    causes: list[str] = field(default_factory=list)
    error_type: str = ""


Send = Callable[[LogBatch, Part], Awaitable[Answer]]


class Requests:
    """Sends batches as requests.

    Args:
        send: Makes one attempt with one request.
        limit_bytes: Largest request before compression that is sent at all.
    """

    def __init__(self, send: Send, limit_bytes: int) -> None:
        self._send = send
        self._limit_bytes = limit_bytes
        self._unfinished: WeakKeyDictionary[LogBatch, _Progress] = WeakKeyDictionary()

    async def export(self, batch: LogBatch) -> ExportOutcome:
        """Send what is left of the batch.

        Returns:
            With `retry`, what was delivered before is remembered, and counted when the rest is decided.
        """
        progress = self._unfinished.pop(batch, None)
        if progress is None:
            whole = Part(batch.otlp_bytes(), len(batch))
            progress = _Progress([whole] if whole.records else [])
        while progress.todo:
            part = progress.todo[-1]
            try:
                answer = await self._attempt(batch, part)
            except BaseException:
                self._unfinished[batch] = progress
                raise
            if answer.kind == "retry":
                self._unfinished[batch] = progress
                after = answer.retry_after_millis
                return ExportOutcome(
                    retry=True, retry_after_millis=after, cause=answer.cause, error_type=answer.error_type
                )
            progress.todo.pop()
            _settle(progress, part, answer)
        cause = progress.causes[-1] if progress.causes else ""
        return ExportOutcome(
            progress.delivered, progress.rejected, cause=cause, error_type=progress.error_type
        )

    async def _attempt(self, batch: LogBatch, part: Part) -> Answer:
        size = len(part.request)
        if size > self._limit_bytes:
            cause = f"the request has {size} bytes, the exporter sends {self._limit_bytes} at most"
            return Answer("too_large", cause=cause, error_type=REQUEST_TOO_LARGE)
        return await self._send(batch, part)


def _settle(progress: _Progress, part: Part, answer: Answer) -> None:
    if answer.kind == "too_large" and (halves := part.halves()) is not None:
        progress.todo.extend(reversed(halves))
        return
    # A receiver may claim to have refused more than it was sent.
    refused = max(0, min(answer.rejected, part.records)) if answer.kind == "taken" else part.records
    progress.rejected += refused
    progress.delivered += part.records - refused
    if answer.cause:
        progress.causes.append(answer.cause)
    if refused and answer.error_type:
        progress.error_type = answer.error_type


def shown(text: str) -> str:
    """The beginning of a receiver's text, in one line that cannot forge another."""
    line = one_line(text.strip())
    return line if len(line) <= _TEXT_CHARACTERS else f"{line[:_TEXT_CHARACTERS]}…"
