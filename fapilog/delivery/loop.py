"""Stage 6 of 7, export: one event loop in one daemon thread. Threads: its own; others start and ask it.

What runs there does not log into the pipeline and makes no spans, its tasks and `asyncio.to_thread` included.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from fapilog import otel_private
from fapilog.diagnostics import mark_delivering, say, shown_error, while_delivering

# Time for tasks to end when the loop does; those that do not are let go of.
_GRACE_SECONDS = 0.2
_BLOCKING_THREADS = 8


class LoopThread:
    """An event loop in a daemon thread.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        # Not the policy's: a loop of the application's choice need not know descriptors or fork.
        # asyncio logs which selector it uses.
        self._loop = while_delivering(asyncio.SelectorEventLoop)
        self._stop = asyncio.Event()
        self._context = contextvars.Context()  # until the thread has made its own
        run = contextvars.Context().run  # nothing of the caller's context: it may be a request's
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: If the interpreter is ending.
        """
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function on the loop, soon; nothing happens when the loop has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._run_inside, function, arguments)

    def submit(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> concurrent.futures.Future[Any]:
        """Run a coroutine on the loop; the future is cancelled when the loop ends first."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def begin() -> None:
            task = self._loop.create_task(make())
            task.add_done_callback(lambda task: _hand_over(task, future))

        self.post(begin)
        if self._loop.is_closed():
            future.cancel()
        return future

    def _run_inside(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        # Callbacks from other threads come in those threads' contexts.
        self._context.copy().run(function, *arguments)

    def stop(self) -> None:
        """Let the loop end after what it is doing."""
        self.post(self._stop.set)

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread to end; False when it does not in time."""
        self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        mark_delivering()
        otel_private.suppress_instrumentation()
        self._context = contextvars.copy_context()
        executor = concurrent.futures.ThreadPoolExecutor(
            _BLOCKING_THREADS, "fapilog-blocking", initializer=mark_delivering
        )
        self._loop.set_default_executor(executor)
        self._loop.set_exception_handler(_on_loop_error)
        asyncio.set_event_loop(self._loop)
        try:
            stopped = self._loop.create_task(self._stop.wait())
            while not stopped.done() and not self._loop.is_closed():
                self._go_on(stopped)
            self._go_on(self._end_tasks())
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            asyncio.set_event_loop(None)
            self._loop.close()

    def _go_on(self, until: Awaitable[object]) -> None:
        """Run the loop. What would end it, as `SystemExit` in a task of an exporter, is said and no more."""
        try:
            self._loop.run_until_complete(until)
        except BaseException as error:
            say("exporter-failed", f"it would have ended the delivery loop: {shown_error(error)}", "loop")

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._loop.shutdown_asyncgens()


def _hand_over(task: asyncio.Task[Any], future: concurrent.futures.Future[Any]) -> None:
    if task.cancelled():
        future.cancel()
    elif (error := task.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


def _on_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio would log, on stderr at most once a minute; tasks that we let go of are no news."""
    error = context.get("exception")
    if error is not None:
        what = f"{context.get('message', '')}: {shown_error(error)}"
        say("exporter-failed", what, type(error).__name__)
