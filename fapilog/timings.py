"""Time spent in code that others wrote: processors, exporters, enrichers. Threads: any."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Spent(NamedTuple):
    """What one plugin took so far.

    Attributes:
        calls: Finished calls, failed ones included.
        failures: Calls that ended with an exception.
        seconds: Wall time inside them; an awaited call counts until it returns.
    """

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0


class Timings:
    """Adds up, per plugin, how long its calls took. One per provider.

    Example:
        >>> timings = Timings(clock=iter([1.0, 1.5]).__next__)
        >>> with timings.measure("exporter", "memory"):
        ...     pass
        >>> timings.snapshot()
        {('exporter', 'memory'): Spent(calls=1, failures=0, seconds=0.5)}
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: dict[tuple[str, str], Spent] = {}

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
                before.calls + 1, before.failures + failed, before.seconds + seconds
            )

    def snapshot(self) -> dict[tuple[str, str], Spent]:
        """Return the sums so far, by (kind, name)."""
        with self._lock:
            return dict(self._spent)
