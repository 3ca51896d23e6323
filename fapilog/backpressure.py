"""Stage 4 of 7, append: how an awaited call waits for room. Thread: caller, an event loop.

The record waits natively, and whoever frees memory stores it; a native thread never calls into a loop (it
would need the interpreter). So one descriptor per loop polls readable when records of its tasks are decided.
Where a loop can watch none (asyncio's proactor, trio, no descriptor is left) tasks look again, soon at first
and then less often.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from fapilog import _native
from fapilog.diagnostics import say

if TYPE_CHECKING:
    import asyncio
    import logging
    from types import FrameType

    from fapilog._native import PendingRecord

_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.05
# Calls between a handler of `logging` and ours, with room for those of other libraries.
_FRAMES = 16

# By the loop's identity; an entry lives while tasks of the loop wait.
_waiting: dict[int, _Loop] = {}


class _Loop:
    """The tasks of one event loop that wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.bell = _native.RoomBell()
        # By the record's number; several tasks may wait for one record.
        self.futures: dict[int, list[asyncio.Future[None]]] = {}
        loop.add_reader(self.bell.fd(), self.wake)

    async def wait(self, pending: PendingRecord) -> None:
        """Return when the record is decided."""
        number, future = pending.number, self.loop.create_future()
        self.futures.setdefault(number, []).append(future)
        deadline = self.loop.call_later(pending.seconds_left, _wake, future)
        try:
            if pending.listen(self.bell):
                await future
        finally:
            deadline.cancel()
            self.leave(number, future)

    def leave(self, number: int, future: asyncio.Future[None]) -> None:
        """Forget a task; the last one lets the loop go."""
        self.futures[number].remove(future)
        if not self.futures[number]:
            del self.futures[number]
        if not self.futures:
            self.close()

    def wake(self) -> None:
        """Wake the tasks whose records are decided."""
        for number in self.bell.take():
            for future in self.futures.get(number, ()):
                _wake(future)

    def close(self) -> None:
        """Let the loop go."""
        _waiting.pop(id(self.loop), None)
        if not self.loop.is_closed():
            self.loop.remove_reader(self.bell.fd())


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def wait_for_room(pending: PendingRecord) -> None:
    """Yield to the event loop until the record is stored or its deadline has passed."""
    if _asyncio_runs():
        import asyncio  # noqa: PLC0415 - loaded already: a loop is running

        waiting = _of(asyncio.get_running_loop())
        if waiting is not None:
            await waiting.wait(pending)
        # Without a descriptor at once, else when the loop's clock was early.
        await _look_again(pending, asyncio)
    else:
        await _look_again(pending, sys.modules["trio"])


def _of(loop: asyncio.AbstractEventLoop) -> _Loop | None:
    """Return the waiting tasks of the loop; None: it can watch no descriptor now."""
    waiting = _waiting.get(id(loop))
    if waiting is None or waiting.loop is not loop:
        # A copy: loops of other threads come and go meanwhile.
        for gone in [each for each in list(_waiting.values()) if each.loop.is_closed()]:
            gone.close()
        try:
            waiting = _waiting[id(loop)] = _Loop(loop)
        except Exception:
            # A proactor watches none, or no descriptor is left: no reason for a log call to raise.
            return None
    return waiting


async def _look_again(pending: PendingRecord, library: object) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while not pending.is_decided():
        await library.sleep(pause)  # type: ignore[attr-defined]
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _asyncio_runs() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def on_event_loop() -> bool:
    """Tell whether the calling thread runs an event loop now: asyncio's (uvloop's too) or trio's."""
    if _asyncio_runs():
        return True
    lowlevel = getattr(sys.modules.get("trio"), "lowlevel", None)
    runs = getattr(lowlevel, "in_trio_run", None)
    return runs is not None and bool(runs())


class _Held(threading.local):
    """Whether the thread holds a lock that others wait for."""

    lock = False


held = _Held()


def must_not_block() -> bool:
    """Tell whether others wait for the calling thread: it leaves a record without room to the queue."""
    if held.lock or on_event_loop():
        return True
    handler = _locked_handler(sys._getframe())
    if handler is not None:
        name = f"{type(handler).__module__}.{type(handler).__qualname__}"
        say(
            "handler-lock",
            f"a call waits for room inside of {name}, which is locked meanwhile: other threads and event"
            " loops that log through it wait too; take our bridge instead",
            name,
        )
    return False


def _locked_handler(frame: FrameType | None) -> logging.Handler | None:
    """Return the handler of `logging` whose lock this thread holds now, if it holds one."""
    handling = getattr(sys.modules.get("logging"), "Handler", None)
    for _ in range(_FRAMES):
        if frame is None or handling is None:
            return None
        if frame.f_code is handling.handle.__code__:
            handler: logging.Handler = frame.f_locals["self"]
            return handler if handler.lock is not None else None
        frame = frame.f_back
    return None
