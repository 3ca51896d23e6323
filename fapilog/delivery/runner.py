"""Stage 6 of 7, export: one exporter written in Python: claim, call, retry, settle. Thread: delivery loop.

Before: `native/src/export/claims.rs`, one cursor per exporter. After: `ledger`. A slow, dead or
raising exporter delays only itself: it has its own cursor, its own limit of calls under way, its own breaker.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from fapilog import _native
from fapilog.batch import LogBatch
from fapilog.delivery.backoff import asked_seconds, pause_seconds
from fapilog.delivery.breaker import Breaker, BreakerState
from fapilog.delivery.calls import Called, Calls
from fapilog.delivery.outcomes import Verdict, judge
from fapilog.diagnostics import Tell, shown_error
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.exporters.base import Exporter
from fapilog.settings import DeliverySettings, RetrySettings
from fapilog.timings import Timings

# OTEL_BLRP_EXPORT_TIMEOUT, for whoever leaves it open.
_TIMEOUT_MILLIS = 30_000
# Error types that mean no answer in time: ours, Python's, gRPC's.
_TOO_SLOW = frozenset({"timeout", "TimeoutError", "DEADLINE_EXCEEDED"})

_T = TypeVar("_T")


class Cursor(Protocol):
    """What a runner needs of a native pipeline."""

    def claim(self, exporter: str) -> _native.Batch | None:
        """The oldest block that the exporter has to deliver."""

    def settle(
        self,
        exporter: str,
        sequence: int,
        *,
        delivered: int = 0,
        rejected: int = 0,
        dropped: Mapping[str, int] | None = None,
    ) -> None:
        """What became of a claimed block, or of a part of it."""

    def release(self, exporter: str, sequence: int) -> None:
        """A claimed block goes back, undelivered."""

    def keep_refused(
        self, exporter: str, batch: _native.Batch, rejected: int, error_type: str, cause: str
    ) -> None:
        """Keep a block of which records were refused for good, where a file for that is set."""

    def note_failing(self, exporter: str, seconds: float) -> None:
        """For how long no call has succeeded; asked for where there is a fallback."""


@dataclass
class _Delivery:
    """One claimed block on its way."""

    cursor: Cursor
    block: _native.Batch
    batch: LogBatch
    expires: float
    left: int
    attempt: int = 0
    begun: float = math.nan
    error_type: str = ""
    ticket: int | None = field(default=None)
    flow_ticket: int = 0


class Runner:
    """One exporter's cursors.

    Args:
        name: Of the cursor, in every pipeline that it serves.
        exporter: What is called.
        settings: Timeouts, limits, retries.
        tell: Told what people should hear of.
        timings: Where its calls are added up.
        jitter: Uniform in 0..1.
    """

    def __init__(  # noqa: PLR0913 - each is one thing, by name
        self,
        name: str,
        exporter: Exporter,
        settings: DeliverySettings,
        *,
        tell: Tell,
        timings: Timings,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._exporter: Any = exporter
        self._retries_itself = bool(getattr(exporter, "retries_itself", False))
        self._limit = max(1, _member(exporter, name, "max_in_flight", int) or settings.max_in_flight)
        self._flow = _native.Flow(self._limit, adapts=settings.adaptive)
        own = _member(exporter, name, "retry", RetrySettings)
        self._retry = own or settings.retry
        # Who sets pauses for one exporter finds no longer ones; natively there are none.
        longest = own.max_backoff_millis if own is not None else math.inf
        pause_millis = min(settings.breaker_pause_millis, longest)
        self.breaker = Breaker(settings.breaker_failures, pause_millis / 1_000)
        self._timeout_seconds = (settings.timeout_millis or _TIMEOUT_MILLIS) / 1_000
        self._tell = tell
        self._timings = timings
        self._jitter = jitter
        self._cursors: list[Cursor] = []
        self._deliveries: set[asyncio.Task[None]] = set()
        self._calls = Calls(self._change)
        self._hooks = Calls()
        self._changed = asyncio.Event()
        self._hurries = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self._keeps_refused = settings.dead_letters is not None
        self._has_fallback = name in settings.fallback
        self._failing_since: float | None = None

    def serve(self, cursor: Cursor) -> None:
        """Deliver the blocks of a further pipeline too."""
        self._cursors.append(cursor)
        self.wake()

    def wake(self) -> None:
        """Claim what there is, as far as the limit and the breaker allow. Never raises."""
        while not self._stopped and len(self._deliveries) < self._limit:
            wait = max(self.breaker.closed_for(_now()), self._flow.wait(_now()))
            if wait > 0.0:
                self._wake_after(wait)
                return
            probing = self.breaker.state is not BreakerState.CLOSED
            if probing and self._deliveries:
                return
            claimed = self._claim()
            if claimed is None:
                return
            task = asyncio.get_running_loop().create_task(self._deliver(claimed))
            self._deliveries.add(task)
            task.add_done_callback(self._delivered)

    def hurry(self) -> None:
        """Somebody waits for a flush: end the pauses that are only ours."""
        self._hurries += 1
        self.breaker.hurry()
        self._change()

    async def flush(self, timeout_seconds: float) -> bool:
        """Pass `force_flush` on to the exporter; False when it fails or is too slow."""
        return await self._pass_on("force_flush", timeout_seconds)

    async def stop(self) -> None:
        """Claim nothing more, and break off what is under way."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._deliveries:
            task.cancel()
        if self._deliveries:
            await asyncio.wait(self._deliveries)
        await self._calls.stop()

    async def shut_down(self, timeout_seconds: float) -> bool:
        """Pass `shutdown` on to the exporter; False when it fails or is too slow."""
        ended = await self._pass_on("shutdown", timeout_seconds)
        await self._hooks.stop()
        return ended

    async def _pass_on(self, method: str, timeout_seconds: float) -> bool:
        function = getattr(self._exporter, method, None)
        if function is None:
            return True
        millis = max(0, int(timeout_seconds * 1_000))
        called = await self._hooks.call(lambda: function(millis), timeout_seconds)
        if called.timed_out:
            self._tell("export-timeout", f"{self.name}: {method}() took longer than {millis} ms", self.name)
        elif called.error is not None:
            what = f"{self.name}: {method}() raised {shown_error(called.error)}"
            self._tell("exporter-failed", what, self.name)
        return not called.timed_out and called.error is None and called.value is not False

    def _claim(self) -> _Delivery | None:
        for cursor in self._cursors:
            block = cursor.claim(self.name)
            if block is not None:
                # The next time another pipeline comes first.
                self._cursors.remove(cursor)
                self._cursors.append(cursor)
                age = self._retry.max_elapsed_millis
                expires = _now() + age / 1_000 if age is not None else math.inf
                return _Delivery(cursor, block, LogBatch(block), expires, block.records)
        return None

    async def _deliver(self, delivery: _Delivery) -> None:
        """Settle every record of a block; cancelled, give it back."""
        sequence = delivery.block.sequence
        try:
            while delivery.left:
                if not await self._admitted(delivery):
                    self._finished(delivery)
                    expired = {"expired": delivery.left}
                    delivery.cursor.settle(self.name, sequence, dropped=expired)
                    return
                await self._attempt(delivery)
        except asyncio.CancelledError:
            self.breaker.cancelled(delivery.ticket)
            delivery.cursor.release(self.name, sequence)
            raise
        except BaseException:
            # A block that was claimed is settled or given back, whatever an exporter's answer does to us.
            self.breaker.cancelled(delivery.ticket)
            delivery.cursor.settle(self.name, sequence, rejected=delivery.left)
            raise

    async def _admitted(self, delivery: _Delivery) -> bool:
        """Wait for the permission of the breaker and for a free call; False when the block is too old."""
        while True:
            now = _now()
            if now >= delivery.expires:
                return False
            wait = math.inf
            if self._calls.running < self._flow.limit():
                wait = self._flow.wait(now)
                delivery.ticket = self.breaker.enter(now) if wait <= 0.0 else None
                if delivery.ticket is not None:
                    delivery.flow_ticket = self._flow.begin(now)
                    return True
                wait = max(wait, self.breaker.closed_for(now))
            await self._pause(min(wait, delivery.expires - now))

    async def _attempt(self, delivery: _Delivery) -> None:
        """One call, and the pause after it if the block comes again."""
        if math.isnan(delivery.begun):
            delivery.begun = _now()
        called = await self._calls.call(
            lambda: self._exporter.export_batch(delivery.batch), self._timeout_seconds
        )
        verdict = judge(called, delivery.left, retries_itself=self._retries_itself)
        self._timings.add("exporter", self.name, called.seconds, failed=verdict.failed)
        delivery.error_type = verdict.error_type if verdict.failed or not verdict.delivered else ""
        if verdict.rejected:
            self._timings.operations.rejected(self.name, verdict.error_type, verdict.rejected)
            if self._keeps_refused:
                delivery.cursor.keep_refused(
                    self.name, delivery.block, verdict.rejected, verdict.error_type, verdict.cause
                )
        if verdict.delivered + verdict.rejected == delivery.left:
            self._finished(delivery)
        if verdict.delivered or verdict.rejected:
            delivery.left -= verdict.delivered + verdict.rejected
            delivery.cursor.settle(
                self.name, delivery.block.sequence, delivered=verdict.delivered, rejected=verdict.rejected
            )
        self._learn(delivery.flow_ticket, called, verdict)
        ticket, delivery.ticket = delivery.ticket, None
        if verdict.retry and verdict.retry_after_millis is not None:
            asked = asked_seconds(verdict.retry_after_millis, self._retry)
            self.breaker.put_off(ticket, _now(), asked)
        elif verdict.failed:
            self.breaker.failed(ticket, _now())
        else:
            self.breaker.succeeded(ticket)
        self._say(verdict)
        if self._has_fallback:
            self._note(not (verdict.retry and not verdict.delivered))
        self._change()
        if delivery.left:
            await self._back_off(delivery, verdict)

    def _note(self, succeeded: bool) -> None:
        """Let the fallback have the blocks when nothing was taken for long."""
        now = _now()
        if succeeded:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = now
        seconds = 0.0 if self._failing_since is None else max(now - self._failing_since, 1e-6)
        for cursor in self._cursors:
            cursor.note_failing(self.name, seconds)

    def _learn(self, ticket: int, called: Called, verdict: Verdict) -> None:
        """What the call says about how much the destination bears."""
        if verdict.retry and verdict.retry_after_millis is not None:
            self._flow.throttled(ticket, verdict.retry_after_millis / 1000, _now())
        elif verdict.error_type in _TOO_SLOW:
            self._flow.timed_out(ticket, _now())
        elif not verdict.failed:
            self._flow.taken(ticket, called.seconds, _now())

    def _finished(self, delivery: _Delivery) -> None:
        if not math.isnan(delivery.begun):  # else it was never tried
            self._timings.operations.finished(self.name, _now() - delivery.begun, delivery.error_type)

    async def _back_off(self, delivery: _Delivery, verdict: Verdict) -> None:
        retry, after = self._retry, verdict.retry_after_millis
        begun, hurries = _now(), self._hurries
        until = begun + pause_seconds(delivery.attempt, after, retry, self._jitter())
        delivery.attempt += 1
        while (now := _now()) < min(until, delivery.expires):
            await self._pause(min(until, delivery.expires) - now)
            if self._hurries != hurries:
                until = min(until, begun + asked_seconds(after, retry))

    def _say(self, verdict: Verdict) -> None:
        if verdict.code:
            rejected = f"{verdict.rejected} records are rejected" if verdict.rejected else ""
            retried = "records wait and are tried again" if verdict.retry else ""
            fate = " and ".join(filter(None, (rejected, retried)))
            self._tell(
                verdict.code, f"exporter {self.name}: {verdict.cause or 'no reason given'}; {fate}", self.name
            )

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond the next change."""
        changed = self._changed
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == math.inf else seconds):
                await changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        self.wake()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell("exporter-failed", f"exporter {self.name}: {shown_error(error)}", self.name)
        self._change()

    def _wake_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if seconds != math.inf:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.wake)


def _member(exporter: Exporter, name: str, member: str, kind: type[_T]) -> _T | None:
    """An optional member; of the wrong type it would show with the first block, and hold it for ever."""
    value = getattr(exporter, member, None)
    if value is None or isinstance(value, kind):
        return value
    remedy = f"set it to {kind.__name__}, or leave it out"
    setting = OffendingSetting(f"{name}.{member}", f"a {type(value).__name__}", "argument", remedy)
    what = f"{member} of an exporter is of the wrong type"
    raise ConfigurationError([Problem("setting-invalid", what, (setting,), remedy)])


def _now() -> float:
    return asyncio.get_running_loop().time()
