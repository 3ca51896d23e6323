"""Calls of code that may take longer than it is told to: side by side in daemon threads, with one deadline.

The stock providers ignore the timeout of `force_flush` and have none in `shutdown`: with an unreachable
collector they take ten seconds and more. Threads: those that end or flush.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from queue import SimpleQueue

from fapilog.diagnostics import say, shown_error

# One for spans and one for metrics: see `_start`.
_SPARE_THREADS = 2
# A deadline that has passed leaves this much: a thread needs it to find out that there is nothing to do.
_GRACE_SECONDS = 0.05
# What waits longer waits for ever; clocks of the platform end at about 300 years.
_LONGEST_SECONDS = 24 * 3600.0
_jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
_spare_threads: list[threading.Thread] = []


def bounded(timeout_millis: float) -> int:
    """Return a timeout that every clock can count: whole milliseconds, at most a day.

    Example:
        >>> bounded(1.5), bounded(float("inf")), bounded(float("nan"))
        (2, 86400000, 86400000)
    """
    return math.ceil(min(_LONGEST_SECONDS * 1_000, timeout_millis))


class BoundedCalls:
    """Calls of stock providers, side by side in daemon threads: these may take longer than they are told to.

    Args:
        calls: Functions without arguments; False or an exception means failure.
    """

    def __init__(self, calls: Iterable[Callable[[], object]]) -> None:
        todo = list(calls)
        self._changed = threading.Condition()
        self._waiting = len(todo)
        self._succeeded = True
        self._process = os.getpid()
        for call in todo:
            _start(partial(self._run, call))

    @property
    def running(self) -> bool:
        """Whether a call has not returned yet; those of a parent do not run in a forked child."""
        return self._waiting > 0 and self._process == os.getpid()

    def wait(self, deadline: float) -> bool:
        """Wait until all returned; False if one failed or still runs at `deadline` (monotonic seconds)."""
        with self._changed:
            left = min(_LONGEST_SECONDS, max(_GRACE_SECONDS, deadline - time.monotonic()))
            return self._changed.wait_for(lambda: self._waiting == 0, left) and self._succeeded

    def _run(self, call: Callable[[], object]) -> None:
        try:
            succeeded = call() is not False
        except Exception as error:
            say("stock-exporter", f"a provider failed: {shown_error(error)}", type(error).__name__)
            succeeded = False
        with self._changed:
            self._waiting -= 1
            self._succeeded &= succeeded
            self._changed.notify_all()


def _start(job: Callable[[], None]) -> None:
    try:
        threading.Thread(target=job, daemon=True).start()
    except RuntimeError:
        # From Python 3.12 on, atexit functions cannot start threads: those started just before take the job.
        if _spare_threads:
            _jobs.put(job)
        else:
            job()


def _start_spare_threads() -> None:
    for _ in range(_SPARE_THREADS):
        thread = threading.Thread(target=_take_one_job, daemon=True)
        thread.start()
        _spare_threads.append(thread)


def _take_one_job() -> None:
    _jobs.get()()


# Runs before atexit functions do; a private name, without which an unreachable collector delays the end on
# Python 3.12 and later.
getattr(threading, "_register_atexit", lambda _function: None)(_start_spare_threads)
