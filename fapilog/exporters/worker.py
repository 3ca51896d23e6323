"""Stage 6 of 7, export: a thread for calls that block. Threads: its own; the delivery loop awaits.

Not an executor of the standard library: those are joined when the interpreter ends, so that one call that
hangs would hang the process. These threads are daemons, and forgotten by a forked child.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from fapilog import otel_private
from fapilog.diagnostics import mark_delivering, shown_error


class ThreadNotStartedError(OSError):
    """No thread can be started for a call, which was not made: too many run, or the interpreter is ending.

    An `OSError`, so that records whose exporter meets it come again, or stay in the spool.
    """


@dataclass(frozen=True)
class Job:
    """A call, and who awaits it."""

    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def run(self) -> None:
        """Make the call, and hand its result or its exception to whoever awaits it."""
        try:
            result = self.call()
        except BaseException as error:  # SystemExit of an exporter ends neither this thread nor the process
            self._settle(_set_exception, error)
        else:
            self._settle(_set_result, result)

    def _settle(self, set_it: Callable[[asyncio.Future[Any], Any], None], value: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self.loop.call_soon_threadsafe(set_it, self.future, value)


def _set_result(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if future.done():
        return
    if not isinstance(error, Exception) or isinstance(error, (StopIteration, asyncio.CancelledError)):
        # A future does not take StopIteration, a loop ends with SystemExit, and only we cancel.
        error = RuntimeError(shown_error(error))
    future.set_exception(error)


class Worker:
    """Makes blocking calls in a daemon thread of its own, in order, one at a time.

    The thread starts with the first call. What it logs does not come back into the pipeline, and its requests
    make no spans.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[[], Any]) -> Any:
        """Make the call in the thread, and return or raise what it does.

        Cancelled once, it still waits for the call to end, because nobody can break it off; cancelled again,
        it lets go.

        Raises:
            ThreadNotStartedError: If no thread can be started.
        """
        self._start()
        job = new_job(call)
        self._jobs.put(job)
        try:
            return await asyncio.shield(job.future)
        except asyncio.CancelledError:
            if not job.future.done():
                await asyncio.wait([job.future])
            if not job.future.cancelled():
                job.future.exception()  # seen, so that asyncio does not complain
            raise

    def stop(self) -> None:
        """Let the thread end after the call that it is in."""
        if self._thread is not None and self._process == os.getpid():
            self._jobs.put(None)
        self._thread = None

    def _start(self) -> None:
        if self._thread is None or self._process != os.getpid():
            self._process, self._jobs, self._thread = os.getpid(), SimpleQueue(), None
            self._thread = start_thread(_work, (self._jobs,), self._name)


def new_job(call: Callable[[], Any]) -> Job:
    """Make a job whose future belongs to the running loop."""
    loop = asyncio.get_running_loop()
    return Job(call, loop, loop.create_future())


def start_thread(target: Callable[..., None], arguments: tuple[Any, ...], name: str) -> threading.Thread:
    """Start a daemon thread.

    Raises:
        ThreadNotStartedError: If no thread can be started.
    """
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # from Python 3.12 on also in functions of atexit
        raise ThreadNotStartedError(f"no thread for {name}: {error}") from error
    return thread


def begin_thread() -> None:
    """In the thread: what it logs stays out of the pipeline, and its requests make no spans."""
    mark_delivering()
    otel_private.suppress_instrumentation()


def _work(jobs: SimpleQueue[Job | None]) -> None:
    begin_thread()
    while (job := jobs.get()) is not None:
        job.run()
        del job  # or the last batch stays in memory until the next one comes
