"""Tells when something blocks the event loop, and which requests were under way. Thread: the event loop's.

A timer of the loop that comes late was held up: by code between two awaits, in a request or elsewhere. Which
one it was, the timer cannot see; it names the requests that were under way then. It runs while there are
requests.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from time import monotonic
from typing import Any

from opentelemetry.context import Context

from fapilog import Severity
from fapilog_instrumentation_fastapi.access import method_of
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE, Exchange
from fapilog_instrumentation_fastapi.plan import Plan
from fapilog_instrumentation_fastapi.writing import write as write_record

EVENT = "fapilog.asyncio.loop_blocked"
SECONDS = "fapilog.asyncio.blocked_seconds"
REQUESTS = "fapilog.http.requests_under_way"
COUNT = "fapilog.http.requests_under_way.count"
SUPPRESSED = "fapilog.suppressed"
_PAUSE_SECONDS = 10.0
_NAMED = 8
# Of the time that counts as blocked; what is blocked that much longer is surely seen.
_STEPS = 4


def attach(plan: Plan) -> None:
    """Watch the loops that serve an application, if settings ask for it."""
    seconds = plan.settings.watch.blocked_seconds
    if seconds is not None:
        watch = LoopWatch(plan, seconds)
        plan.on_request.append(watch.begin)
        plan.on_leave.append(watch.end)


class LoopWatch:
    """Watches the loops of one application; at most one record in 10 seconds.

    Args:
        plan: Of the application.
        seconds: From when on a loop counts as blocked.
    """

    def __init__(self, plan: Plan, seconds: float) -> None:
        self.seconds = seconds
        self._plan = plan
        self._beats: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Beat] = weakref.WeakKeyDictionary()
        self._quiet_until = 0.0
        self._suppressed = 0

    def begin(self, exchange: Exchange) -> None:
        """Note a request that is under way."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Another kind of loop.
            return
        beat = self._beats.get(loop)
        if beat is None:
            beat = self._beats[loop] = Beat(loop, self)
        beat.under_way.add(exchange)
        beat.start()

    def end(self, exchange: Exchange) -> None:
        """Note a request that may be gone before the timer comes."""
        try:
            beat = self._beats.get(asyncio.get_running_loop())
        except RuntimeError:
            return
        if beat is not None:
            beat.ended(exchange)

    def report(self, seconds: float, requests: list[dict[str, Any]]) -> None:
        """Write the record, unless there was one a moment ago."""
        now = monotonic()
        if now < self._quiet_until:
            self._suppressed += 1
            return
        self._quiet_until = now + _PAUSE_SECONDS
        attributes: dict[str, Any] = {SECONDS: seconds, COUNT: len(requests), REQUESTS: requests[:_NAMED]}
        if len(requests) == 1:
            attributes.update(requests[0])
        if self._suppressed:
            attributes[SUPPRESSED], self._suppressed = self._suppressed, 0
        body = f"event loop blocked for at least {seconds:.3f} s"
        write_record(self._plan.logger, int(Severity.WARN), EVENT, body, attributes, context=Context())


class Beat:
    """The timer of one loop.

    Args:
        loop: Whose timer.
        watch: Who is told.

    Attributes:
        under_way: Requests that have not ended; background tasks belong to them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, watch: LoopWatch) -> None:
        self._loop = weakref.ref(loop)
        self._watch = watch
        self._interval = watch.seconds / _STEPS
        self._due: float | None = None
        self._ended: list[Exchange] = []
        self.under_way: weakref.WeakSet[Exchange] = weakref.WeakSet()

    def start(self) -> None:
        """Let the timer run, if it does not."""
        loop = self._loop()
        if self._due is None and loop is not None and not loop.is_closed():
            self._due = loop.time() + self._interval
            # Not in the context of the request that happened to start it.
            loop.call_at(self._due, self._come, context=contextvars.Context())

    def ended(self, exchange: Exchange) -> None:
        """Keep a request until the timer comes."""
        # Tasks that a request started may keep it alive long after its end.
        self.under_way.discard(exchange)
        if len(self._ended) < _NAMED:
            self._ended.append(exchange)

    def _come(self) -> None:
        loop, due = self._loop(), self._due
        ended, self._ended, self._due = self._ended, [], None
        if loop is None or due is None:
            return
        late = loop.time() - due
        if late >= self._watch.seconds:
            concerned = [*ended, *self.under_way]
            self._watch.report(late, [_named(each) for each in concerned])
        if self.under_way:
            self.start()


def _named(exchange: Exchange) -> dict[str, Any]:
    named: dict[str, Any] = {CORRELATION_ATTRIBUTE: exchange.correlation_id}
    if exchange.scope["type"] == "http":
        named["http.request.method"] = method_of(exchange.scope)
    if (route := exchange.route) is not None:
        named["http.route"] = route
    return named
