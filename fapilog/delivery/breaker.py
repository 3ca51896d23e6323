"""Stage 6 of 7, export: whether an exporter may be called now. Pure: no clock, no thread, no exporter.

```
          failures in a row                    the pause is over
 CLOSED ────────────────────▶ OPEN ─────────────────────────────▶ HALF_OPEN
   ▲                            ▲            one call, the probe ────┤ │
   │                            └──────────────── it failed ─────────┘ │
   └───────────────────────────────────────────── it succeeded ────────┘
```

A destination that says when to come back is alive: its pause is kept and the call is no failure, as natively
(`native/src/export/pace.rs`), where no answer stops the senders for longer than the backoff.
"""

from __future__ import annotations

import enum
import math


class BreakerState(enum.Enum):
    """Where a breaker stands."""

    CLOSED = "closed"
    """Calls are made."""
    OPEN = "open"
    """Calls failed again and again: none is made until the pause is over; records wait in the buffer."""
    HALF_OPEN = "half_open"
    """One call is under way to find out."""


class Breaker:
    """The state machine. Times are monotonic seconds, given by the caller.

    Args:
        failures: Failures in a row that open it.
        pause_seconds: How long it stays open before one call is tried.

    Example:
        >>> breaker = Breaker(failures=1, pause_seconds=30.0)
        >>> breaker.failed(breaker.enter(now=0.0), now=0.0)
        >>> breaker.state.name, breaker.closed_for(now=10.0), breaker.enter(now=10.0)
        ('OPEN', 20.0, None)
    """

    def __init__(self, failures: int, pause_seconds: float) -> None:
        self._limit = failures
        self._pause_seconds = pause_seconds
        self._failures = 0
        # Never before: what the destination asked for. Not before: that, or our own pause.
        self._never_before = -math.inf
        self._not_before = -math.inf
        # Results of calls that began before the last change say nothing about now.
        self._generation = 0
        self.state = BreakerState.CLOSED

    def closed_for(self, now: float) -> float:
        """Seconds until a call may be made: 0 when it may, infinity while a probe is under way."""
        if self.state is BreakerState.HALF_OPEN:
            return math.inf
        return max(0.0, self._not_before - now)

    def enter(self, now: float) -> int | None:
        """Ask for one call; None: not now. The ticket goes back through one of the next four methods."""
        if self.closed_for(now) > 0.0:
            return None
        if self.state is BreakerState.OPEN:
            self._change(BreakerState.HALF_OPEN)
        return self._generation

    def succeeded(self, ticket: int | None) -> None:
        """The call got somewhere."""
        if ticket == self._generation:
            self._failures = 0
            if self.state is BreakerState.HALF_OPEN:
                self._change(BreakerState.CLOSED)

    def put_off(self, ticket: int | None, now: float, seconds: float) -> None:
        """The destination asked to come back after so many seconds: it is alive, and nobody comes sooner."""
        self._never_before = max(self._never_before, now + seconds)
        self._not_before = max(self._not_before, self._never_before)
        self.succeeded(ticket)

    def failed(self, ticket: int | None, now: float) -> None:
        """The call got nowhere."""
        if ticket != self._generation:
            return
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or self._failures >= self._limit:
            self._not_before = max(self._never_before, now + self._pause_seconds)
            self._change(BreakerState.OPEN)

    def cancelled(self, ticket: int | None) -> None:
        """The call was broken off by us: it says nothing, and another one may probe."""
        if ticket == self._generation and self.state is BreakerState.HALF_OPEN:
            self._change(BreakerState.OPEN)
            self._not_before = self._never_before

    def hurry(self) -> None:
        """End our own pause, because somebody waits; not one that the destination asked for."""
        self._not_before = self._never_before

    def _change(self, state: BreakerState) -> None:
        self.state = state
        self._generation += 1
        if state is BreakerState.CLOSED:
            self._failures = 0
