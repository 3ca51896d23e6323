"""Calls that block, each in a thread of its own, which the next call uses again."""

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fapilog.diagnostics import is_delivering
from fapilog.exporters import aside
from fapilog.exporters.aside import run_aside

PATIENCE_SECONDS = 10.0
number: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)


@pytest.fixture(autouse=True)
def _threads_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_spare", aside._SpareThreads(PATIENCE_SECONDS))


async def resting(name: str) -> None:
    """Wait until a thread of this name has nothing to do."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not aside._spare._waiting[name]:
            await asyncio.sleep(0.001)


def test_calls_one_after_the_other_share_a_thread_that_is_marked_and_those_at_once_do_not():
    async def main() -> tuple[list[threading.Thread], set[threading.Thread]]:
        one_by_one = []
        for _ in range(3):
            one_by_one.append(await run_aside(threading.current_thread, "fapilog-aside"))
            await resting("fapilog-aside")
        together = threading.Barrier(3)

        def meet() -> threading.Thread:
            together.wait(PATIENCE_SECONDS)
            return threading.current_thread()

        at_once = await asyncio.gather(*(run_aside(meet, "fapilog-aside") for _ in range(3)))
        assert await run_aside(is_delivering, "fapilog-aside")
        return one_by_one, set(at_once)

    one_by_one, at_once = asyncio.run(main())
    assert len(set(one_by_one)) == 1
    assert len(at_once) == 3
    assert {thread.daemon for thread in at_once} == {True}
    assert {thread.name for thread in at_once} == {"fapilog-aside"}


def test_a_call_returns_raises_and_leaves_nothing_for_the_next_one():
    def leave() -> int:
        number.set(7)
        raise ValueError("once")

    async def main() -> int:
        with pytest.raises(ValueError, match="once"):
            await run_aside(leave, "fapilog-aside")
        await resting("fapilog-aside")
        found: int = await run_aside(number.get, "fapilog-aside")
        return found

    assert asyncio.run(main()) == 0


def test_a_thread_that_nobody_needs_ends():
    aside._spare._patience_seconds = 0.01

    async def main() -> threading.Thread:
        thread: threading.Thread = await run_aside(threading.current_thread, "fapilog-aside")
        return thread

    thread = asyncio.run(main())
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert aside._spare._waiting["fapilog-aside"] == []


def test_no_call_is_lost_when_threads_end_as_they_are_needed():
    aside._spare._patience_seconds = 0.0

    async def main() -> list[int]:
        done = [await run_aside(lambda each=each: each, "fapilog-aside") for each in range(300)]
        return done + await asyncio.gather(
            *(run_aside(lambda each=each: each, "fapilog-aside") for each in range(300))
        )

    assert asyncio.run(main()) == [*range(300), *range(300)]


def test_who_is_cancelled_lets_go_at_once_and_a_call_that_hangs_holds_up_no_other():
    release = threading.Event()

    async def main() -> str:
        hanging = asyncio.ensure_future(run_aside(lambda: release.wait(PATIENCE_SECONDS), "fapilog-aside"))
        await asyncio.sleep(0)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        found: str = await run_aside(lambda: "there", "fapilog-aside")
        return found

    try:
        assert asyncio.run(main()) == "there"
    finally:
        release.set()


def in_child(check: Callable[[], Any]) -> int:
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if check() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own_even_if_the_lock_was_held():
    async def main() -> None:
        await run_aside(lambda: None, "fapilog-aside")
        await resting("fapilog-aside")

    asyncio.run(main())
    with aside._spare._lock:
        assert in_child(lambda: asyncio.run(run_aside(lambda: 7, "fapilog-aside")) == 7) == 0
