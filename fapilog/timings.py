"""Time spent in code that others wrote: processors, exporters, enrichers. Threads: any."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fapilog.operations import Operations


class Spent(NamedTuple):
    """What one plugin took so far.

    Attributes:
        calls: Calls, failed ones included.
        failures: Calls that ended with an exception.
        seconds: Wall time inside them; an awaited call counts until it returns. Of what runs for each record,
            every 16th call is timed and stands for those since the one before.
        over_budget: Calls that took longer than `plugins.call_budget_micros`, counted as `seconds` are. Only
            of what runs within a log call.
        failing: Calls that failed since the last one that did not.
    """

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    over_budget: int = 0
    failing: int = 0


# Of calls for each record: looking at the clock twice costs as much as many an enricher.
_TIMED_EVERY = 16


class Meter:
    """The calls of one plugin that is asked for each record; every 16th is timed. Threads: any.

    Args:
        clock: Seconds.
        budget_seconds: What one call should take at most; longer ones are counted.

    Attributes:
        failing: Calls that failed since the last one that did not; `end` has to be told of the next success.

    Example:
        >>> meter = Meter(clock=iter([1.0, 1.5]).__next__)
        >>> meter.end(meter.begin())
        >>> meter.end(meter.begin(), failed=True)
        >>> meter.spent
        Spent(calls=2, failures=1, seconds=0.5, over_budget=0, failing=1)
    """

    __slots__ = (
        "_budget",
        "_clock",
        "_failures",
        "_lock",
        "_numbers",
        "_over",
        "_seconds",
        "_weight",
        "failing",
    )

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, budget_seconds: float = math.inf
    ) -> None:
        self._clock = clock
        self._budget = budget_seconds
        self._over = 0
        self.failing = 0
        self._lock = threading.Lock()
        # Counts without a lock, which would cost more than many a call.
        self._numbers = itertools.count()
        self._failures, self._seconds, self._weight = 0, 0.0, 1

    def begin(self) -> float | None:
        """Count a call that begins; give the answer to `end`."""
        return None if next(self._numbers) % _TIMED_EVERY else self._clock()

    def end(self, begun: float | None, *, failed: bool = False) -> None:
        """Count how the call ended."""
        if begun is None and not failed and not self.failing:
            return
        seconds = 0.0 if begun is None else self._clock() - begun
        with self._lock:
            self._failures += failed
            self.failing = self.failing + 1 if failed else 0
            if begun is not None:
                # Never less than before, as a counter of metrics has to be.
                self._seconds += seconds * self._weight
                self._over += self._weight if seconds > self._budget else 0
                self._weight = _TIMED_EVERY

    def after_fork(self) -> None:
        """In the child: the lock may have been held by a thread that is not there."""
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        """The sums so far."""
        calls = int(repr(self._numbers)[len("count(") : -1])  # looking at the number does not take it
        with self._lock:
            return Spent(calls, self._failures, self._seconds, self._over, self.failing)


class Timings:
    """Adds up, per plugin, how long its calls took. One per provider.

    Args:
        clock: Seconds.
        budget_seconds: What one call within a log call should take at most.

    Attributes:
        operations: What Python exporters did with each batch, all attempts together.

    Example:
        >>> timings = Timings(clock=iter([1.0, 1.5]).__next__)
        >>> with timings.measure("exporter", "memory"):
        ...     pass
        >>> timings.snapshot()
        {('exporter', 'memory'): Spent(calls=1, failures=0, seconds=0.5, over_budget=0, failing=0)}
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, *, budget_seconds: float = math.inf
    ) -> None:
        self.operations = Operations()
        self._clock = clock
        self._budget = budget_seconds
        self._lock = threading.Lock()
        self._spent: dict[tuple[str, str], Spent] = {}
        self._meters: dict[tuple[str, str], Meter] = {}
        _all.add(self)

    def after_fork(self) -> None:
        """In the child: no lock is held by a thread that is not there; operations are the parent's."""
        self._lock = threading.Lock()
        for meter in self._meters.values():
            meter.after_fork()
        self.operations.begin_process()

    def meter(self, kind: str, name: str) -> Meter:
        """Return what counts the calls of a plugin that is asked for each record."""
        with self._lock:
            return self._meters.setdefault((kind, name), Meter(self._clock, self._budget))

    @contextmanager
    def measure(self, kind: str, name: str) -> Iterator[None]:
        """Measure the block as one call of the plugin `name`; `kind` is what it serves as."""
        started = self._clock()
        failed = True
        try:
            yield
            failed = False
        finally:
            self.add(kind, name, self._clock() - started, failed=failed)

    def add(self, kind: str, name: str, seconds: float, *, failed: bool = False) -> None:
        """Count one call that was measured elsewhere."""
        with self._lock:
            before = self._spent.get((kind, name), Spent())
            self._spent[kind, name] = Spent(
                before.calls + 1,
                before.failures + failed,
                before.seconds + seconds,
                failing=before.failing + 1 if failed else 0,
            )

    def snapshot(self) -> dict[tuple[str, str], Spent]:
        """Return the sums so far, by (kind, name)."""
        with self._lock:
            spent, meters = dict(self._spent), dict(self._meters)
        for key, meter in meters.items():
            metered = meter.spent
            if metered.calls:
                both = zip(spent.get(key, Spent()), metered, strict=True)
                spent[key] = Spent(*(one + other for one, other in both))  # type: ignore[arg-type]
        return spent


_all: weakref.WeakSet[Timings] = weakref.WeakSet()


def _after_fork() -> None:
    for timings in list(_all):
        timings.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
