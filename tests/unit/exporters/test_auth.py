"""Headers from a function: asked for when needed, once for all who wait, renewed in time, refused or late."""

import asyncio
import os
from functools import partial

import pytest

from fapilog.exporters.auth import Auth, AuthError, checked


class Clock:
    """Monotonic seconds that stand still."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def counting(*answers):
    """A function that gives these answers, the last one for ever; `calls` counts."""
    left = list(answers)

    def function():
        function.calls += 1
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    function.calls = 0
    return function


async def headers(auth):
    return (await auth.credentials()).headers


async def test_an_ordinary_function_is_called_in_a_thread_and_once(clock):
    function = counting({"Authorization": "a"})
    auth = Auth(function, clock)
    assert [await headers(auth) for _ in range(3)] == [{"authorization": "a"}] * 3
    assert function.calls == 1


async def test_an_async_function_is_awaited_on_the_loop(clock):
    async def function():
        asyncio.get_running_loop()
        return {"a": "b"}

    assert await headers(Auth(function, clock)) == {"a": "b"}


async def test_an_ordinary_function_may_return_something_to_await(clock):
    async def later():
        return {"a": "b"}

    assert await headers(Auth(partial(later), clock)) == {"a": "b"}


async def test_all_who_wait_share_one_call(clock):
    release = asyncio.Event()
    calls = []

    async def function():
        calls.append(1)
        await release.wait()
        return {"a": "b"}

    auth = Auth(function, clock)
    waiting = [asyncio.create_task(headers(auth)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*waiting[1:]) == [{"a": "b"}] * 4
    assert calls == [1]


async def test_headers_are_renewed_before_their_end_while_the_old_ones_are_used(clock):
    answers = counting(({"a": "1"}, 600), ({"a": "2"}, 600))

    async def function():
        return answers()

    auth = Auth(function, clock)
    assert await headers(auth) == {"a": "1"}
    clock.now += 539
    assert await headers(auth) == {"a": "1"}
    clock.now += 2  # within the last minute
    assert await headers(auth) == {"a": "1"}
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    assert (await headers(auth), answers.calls) == ({"a": "2"}, 2)


async def test_a_short_life_is_renewed_in_its_last_fifth(clock):
    credentials = checked(({"a": "1"}, 10), clock.now)
    assert (credentials.renew_at, credentials.ends_at) == (1_008.0, 1_010.0)


async def test_after_their_end_old_headers_are_not_used(clock):
    auth = Auth(counting(({"a": "1"}, 600), RuntimeError("no network")), clock)
    await headers(auth)
    clock.now += 601
    with pytest.raises(AuthError, match="the auth function raised RuntimeError: no network"):
        await headers(auth)


async def test_a_failed_renewal_leaves_the_old_headers_until_their_end(clock):
    auth = Auth(counting(({"a": "1"}, 600), RuntimeError("no network")), clock)
    await headers(auth)
    clock.now += 590
    assert [await headers(auth) for _ in range(3)] == [{"a": "1"}] * 3


async def test_the_text_of_what_the_function_raised_is_shown_without_its_token(clock):
    auth = Auth(counting(RuntimeError("refused: token=hunter2 of eyJhbGciOiJIUzI1NiJ9.e30.abc")), clock)
    with pytest.raises(AuthError) as caught:
        await headers(auth)
    assert str(caught.value) == "the auth function raised RuntimeError: refused: token=*** of ***"
    assert caught.value.__suppress_context__  # a traceback would show it


async def test_after_a_failure_the_next_request_asks_again(clock):
    auth = Auth(counting(OSError("down"), {"a": "1"}), clock)
    with pytest.raises(AuthError):
        await headers(auth)
    assert await headers(auth) == {"a": "1"}


async def test_a_slow_function_has_failed(clock):
    async def function():
        await asyncio.Event().wait()

    with pytest.raises(AuthError, match=r"did not answer within 0\.01 s"):
        await headers(Auth(function, clock, timeout_seconds=0.01))


async def test_headers_that_worked_and_are_refused_are_asked_for_again(clock):
    auth = Auth(counting({"a": "1"}, {"a": "2"}), clock)
    old = await auth.credentials()
    auth.accepted(old)
    assert auth.refused(old)
    assert auth.refused(old), "another request that used the old ones goes on too"
    assert await headers(auth) == {"a": "2"}


async def test_new_headers_that_are_refused_at_once_are_the_reason(clock):
    function = counting({"a": "1"}, {"a": "2"})
    auth = Auth(function, clock)
    assert not auth.refused(await auth.credentials())
    assert await headers(auth) == {"a": "2"}, "the next batch asks again"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "returned no mapping of texts"),
        ({"a": 1}, "returned no mapping of texts"),
        ({"a": "b\nc"}, "returned holds a header value with control or non-ASCII characters"),
        ({"a b": "c"}, "returned holds a header name with characters that HTTP does not allow"),
        (({"a": "hunter2"}, 0), "returned a lifetime that is not a positive number of seconds"),
        (({"a": "hunter2"}, float("nan")), "returned a lifetime that is not a positive number of seconds"),
        (({"a": "hunter2"}, "5"), "returned a lifetime that is not a positive number of seconds"),
        (({"a": "hunter2"}, True), "returned a lifetime that is not a positive number of seconds"),
        (("a", "b", "c"), "returned no mapping of texts"),
    ],
)
def test_what_is_no_answer_is_said_without_its_values(answer, what):
    with pytest.raises(AuthError) as caught:
        checked(answer, 0.0)
    assert what in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_credentials_do_not_show_their_values():
    assert repr(checked({"authorization": "hunter2"}, 0.0)) == "<Credentials in authorization>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_asks_by_itself_although_the_parent_was_asking(clock):
    async def function():
        if os.getpid() == parent:
            await asyncio.Event().wait()
        return {"a": "b"}

    parent = os.getpid()
    auth = Auth(function, clock, timeout_seconds=60)

    pid = _fork_while_asking(auth)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _fork_while_asking(auth):
    loop = asyncio.new_event_loop()
    asking = loop.create_task(auth.credentials())
    loop.run_until_complete(asyncio.sleep(0))
    pid = os.fork()
    if pid == 0:
        answer = asyncio.run(auth.credentials()).headers
        os._exit(0 if answer == {"a": "b"} else 1)
    asking.cancel()
    loop.run_until_complete(asyncio.gather(asking, return_exceptions=True))
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    return pid


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_a_function_that_would_end_the_program_has_failed(clock, end):
    async def function():
        raise end("no")

    async def main():
        with pytest.raises(AuthError, match=end.__name__):
            await Auth(function, clock).renewed()

    asyncio.run(main())
