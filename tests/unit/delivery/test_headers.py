"""The headers of native exporters: given first, renewed in time, replaced when refused, with pauses."""

import asyncio

import pytest

from fapilog.delivery.headers import HeaderKeeper
from fapilog.exporters.auth import Auth
from fapilog.settings import RetrySettings


class Target:
    """A native pipeline as a keeper sees it."""

    def __init__(self):
        self.given, self.refused, self.changed = [], False, asyncio.Event()

    def set_headers(self, exporter, headers):
        self.given.append((exporter, dict(headers)))
        self.refused = False
        self.changed.set()

    def headers_refused(self, exporter):
        return self.refused

    async def wait_for(self, count):
        async with asyncio.timeout(20):
            while len(self.given) < count:
                self.changed.clear()
                await self.changed.wait()
        return [headers for _, headers in self.given]


class Function:
    """Gives its answers in order; an exception is raised; the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), 0

    async def __call__(self):
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def said():
    return []


def keeper_of(function, said, fixed=(), clock=lambda: 0.0):
    retry = RetrySettings(initial_backoff_millis=1, max_backoff_millis=1)

    def tell(code, message, about):
        said.append((code, message))

    return HeaderKeeper("otlp", Auth(function, clock), fixed, retry, tell, jitter=lambda: 1.0)


async def test_headers_are_given_with_those_that_never_change_and_win_over_them(said):
    target = Target()
    keeper = keeper_of(Function({"Authorization": "new"}), said, [("authorization", "old"), ("x-team", "a")])
    keeper.serve(target)
    assert await target.wait_for(1) == [{"authorization": "new", "x-team": "a"}]
    await keeper.stop()
    assert said == []


async def test_a_pipeline_that_comes_later_gets_them_at_once(said):
    first, second = Target(), Target()
    function = Function({"a": "1"})
    keeper = keeper_of(function, said)
    keeper.serve(first)
    await first.wait_for(1)
    keeper.serve(second)
    assert (await second.wait_for(1), function.calls) == ([{"a": "1"}], 1)
    await keeper.stop()


async def test_headers_are_renewed_before_they_end(said):
    target = Target()
    keeper = keeper_of(Function(({"a": "1"}, 0.01), ({"a": "2"}, 600)), said)
    keeper.serve(target)
    assert await target.wait_for(2) == [{"a": "1"}, {"a": "2"}]
    await keeper.stop()


async def test_refused_headers_are_replaced(said):
    target = Target()
    function = Function({"a": "1"}, {"a": "2"})
    keeper = keeper_of(function, said)
    keeper.serve(target)
    await target.wait_for(1)
    keeper.wake()
    await asyncio.sleep(0)
    assert function.calls == 1, "nothing was refused"
    target.refused = True
    keeper.wake()
    assert await target.wait_for(2) == [{"a": "1"}, {"a": "2"}]
    await keeper.stop()


async def test_being_woken_while_new_headers_are_on_their_way_asks_for_no_others(said):
    target, asked, answer = Target(), asyncio.Event(), asyncio.Event()
    calls = 0

    async def slow():
        nonlocal calls
        calls += 1
        if calls == 2:
            asked.set()
            await answer.wait()
        return {"a": f"{calls}"}

    keeper = keeper_of(slow, said)
    keeper.serve(target)
    await target.wait_for(1)
    target.refused = True
    keeper.wake()
    async with asyncio.timeout(20):
        await asked.wait()
    keeper.wake()
    answer.set()
    await target.wait_for(2)
    await asyncio.sleep(0.05)
    assert (calls, target.given[1:]) == (2, [("otlp", {"a": "2"})])
    await keeper.stop()


async def test_a_function_that_fails_is_said_and_called_again(said):
    target = Target()
    keeper = keeper_of(Function(OSError("down"), {"a": 1}, {"a": "1"}), said)
    keeper.serve(target)
    assert await target.wait_for(1) == [{"a": "1"}]
    await keeper.stop()
    fate = "; records wait and the function is called again"
    assert said == [
        ("auth-failed", f"exporter otlp: the auth function raised OSError: down{fate}"),
        ("auth-failed", f"exporter otlp: the auth function returned no mapping of texts{fate}"),
    ]


async def test_headers_that_the_exporter_cannot_send_are_said(said):
    class Strict(Target):
        def set_headers(self, exporter, headers):
            self.changed.set()
            raise ValueError('header "host" is set by the exporter itself')

    target = Strict()
    keeper = keeper_of(Function({"host": "1"}), said)
    keeper.serve(target)
    async with asyncio.timeout(20):
        await target.changed.wait()
    await keeper.stop()
    assert said == [("auth-failed", 'exporter otlp: header "host" is set by the exporter itself')]


async def test_stopping_before_anything_began_does_nothing(said):
    await keeper_of(Function({"a": "1"}), said).stop()
