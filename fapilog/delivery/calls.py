"""Stage 6 of 7, export: calls of code that is not ours, on the delivery loop: bounded, and never raising.

A coroutine can be asked to stop but not be made to. One that goes on after its timeout is still counted as
running, so that nobody is called more often at once than it can bear. Threads: the delivery loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Time to end for a call that was cancelled.
_GRACE_SECONDS = 0.2


@dataclass(frozen=True)
class Called:
    """How a call ended.

    Attributes:
        value: What it returned.
        error: What it raised; None: it returned, or was too slow.
        timed_out: It was too slow, and cancelled.
        seconds: How long it took.
    """

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class _Raised:
    error: BaseException


class Calls:
    """The calls of one exporter or one processor.

    Args:
        on_ended: Called whenever one has ended, also long after its timeout.
    """

    def __init__(self, on_ended: Callable[[], object] = lambda: None) -> None:
        self._on_ended = on_ended
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def running(self) -> int:
        """Calls that have not ended, those that were cancelled included."""
        return len(self._tasks)

    async def call(self, make: Callable[[], Any], timeout_seconds: float | None) -> Called:
        """Call a function and await what it returns, if that can be awaited.

        Cancelling this cancels the call, and does not wait for it.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        task = loop.create_task(_isolated(make))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait([task], timeout=timeout_seconds)
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=_GRACE_SECONDS)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return _read(task, loop.time() - begun)

    async def stop(self) -> None:
        """Cancel every call, wait shortly, and let go of those that do not end."""
        for _ in range(2):  # the worker of a blocking call gives up at the second time
            if not self._tasks:
                return
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=_GRACE_SECONDS)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not complain
        self._on_ended()


async def _isolated(make: Callable[[], Any]) -> Any:
    try:
        result = make()
        return await result if inspect.isawaitable(result) else result
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # whatever it is, it ends this call and not the loop
        return _Raised(error)


def _read(task: asyncio.Task[Any], seconds: float) -> Called:
    if not task.done():
        return Called(timed_out=True, seconds=seconds)
    if task.cancelled():
        # By us after the timeout, or by itself, which is as good as too slow.
        return Called(timed_out=True, seconds=seconds)
    value = task.result()
    if isinstance(value, _Raised):
        return Called(error=value.error, seconds=seconds)
    return Called(value=value, seconds=seconds)
