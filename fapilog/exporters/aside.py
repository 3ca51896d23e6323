"""Stage 6 of 7, export: calls that block, each in a thread of its own. Threads: its own; the loop awaits.

A thread whose call has ended waits a while for the next one of its name: to start a thread costs more than to
post a small request, and the caller's loop has to wait for it. Daemons, as in `worker`, and forgotten by a
forked child.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from fapilog.exporters.worker import Job, begin_thread, new_job, start_thread

# More than `buffer.schedule_delay_millis`: who logs little finds the thread of the last request.
_SPARE_SECONDS = 5.0

_Jobs = SimpleQueue[Job]


class _SpareThreads:
    """Threads between two calls, by name."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, list[_Jobs]] = defaultdict(list)

    def hand(self, job: Job, name: str) -> None:
        """Let a thread make the call."""
        with self._lock:
            waiting = self._waiting[name]
            # The last one: the first ones may end.
            jobs = waiting.pop() if waiting else None
        if jobs is None:
            jobs = SimpleQueue()
            start_thread(self._work, (name, jobs), name)
        jobs.put(job)

    def _work(self, name: str, jobs: _Jobs) -> None:
        begin_thread()
        job: Job | None = jobs.get()
        while job is not None:
            # What one call leaves in the context is not there for the next one.
            contextvars.copy_context().run(job.run)
            del job  # or the last batch stays in memory until the next one comes
            job = self._next(name, jobs)

    def _next(self, name: str, jobs: _Jobs) -> Job | None:
        """Wait for a further call; None: it is time to end."""
        with self._lock:
            self._waiting[name].append(jobs)
        try:
            return jobs.get(timeout=self._patience_seconds)
        except Empty:
            pass
        with self._lock:
            if jobs in self._waiting[name]:
                self._waiting[name].remove(jobs)
                return None
        return jobs.get()  # it was taken just now


async def run_aside(call: Callable[[], Any], name: str) -> Any:
    """Make one call in a daemon thread, beside others, as `Worker.run`; cancelled, it lets go at once.

    Raises:
        ThreadNotStartedError: If no thread can be started.
    """
    job = new_job(call)
    _spare.hand(job, name)
    return await job.future


_spare = _SpareThreads(_SPARE_SECONDS)


def _after_fork() -> None:
    global _spare  # noqa: PLW0603 - the parent's threads are not here, and its lock may be held for ever
    _spare = _SpareThreads(_SPARE_SECONDS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
