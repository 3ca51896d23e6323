"""Enrichers that are refreshed: on the delivery loop, at once, within their timeouts, after a fork."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fapilog import LoggerProvider, Settings
from fapilog.enrichers import enricher
from fapilog.testing import OtlpReceiver
from tests.integration.harness import run

PATIENCE_SECONDS = 20.0

Make = Callable[..., LoggerProvider]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes providers that do not read the environment; at the end their threads are gone."""
    made: list[LoggerProvider] = []

    def provider(*enrichers: Any, **settings: Any) -> LoggerProvider:
        made.append(new_provider(*enrichers, **settings))
        return made[-1]

    yield provider
    for each in made:
        assert each.shutdown()
    assert deliver_threads() == []


def new_provider(*enrichers: Any, exporters: Any = ("none",), **settings: Any) -> LoggerProvider:
    loaded = Settings.load(environ={}, sequence=False, **settings)
    return LoggerProvider(settings=loaded, exporters=exporters, enrichers=enrichers)


def deliver_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "fapilog-deliver"]


class Seen:
    """The attributes of the records of a provider, as a tap sees them."""

    def __init__(self, provider: LoggerProvider) -> None:
        from fapilog._native import decode_record

        self._provider = provider
        self._attributes = attributes = dict[str, Any]()
        provider.pipeline.add_tap(lambda record, _: attributes.update(seen=decode_record(record)[5]))

    def next(self) -> dict[str, Any]:
        """Logs a record and returns what it carries."""
        self._provider.get_logger("shop").emit(body="x")
        found: dict[str, Any] = self._attributes["seen"]
        return found

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Logs until a record carries what is asked for."""
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
        while not holds(found := self.next()):
            assert time.monotonic() < deadline, found
            pause.wait(0.005)
        return found


def test_nothing_starts_before_the_first_record(make: Make) -> None:
    asked = threading.Event()

    async def flags() -> dict[str, str]:
        asked.set()
        return {"flag": "on"}

    provider = make(flags)
    assert (deliver_threads(), asked.is_set()) == ([], False)
    provider.get_logger("shop").emit(body="x")
    assert asked.wait(PATIENCE_SECONDS)


def test_records_carry_the_latest_answers_and_none_waits(make: Make) -> None:
    answer, numbers = threading.Event(), iter(range(1_000_000))

    async def slow() -> dict[str, str]:
        while not answer.is_set():
            await asyncio.sleep(0.005)
        return {"slow": "there", "password": "hunter2"}

    @enricher(refresh_seconds=0.01)
    async def counting() -> dict[str, int]:
        return {"n": next(numbers)}

    seen = Seen(make(slow, counting, {"team": "shop"}))
    first = seen.next()
    assert (first.get("slow"), first["team"]) == (None, "shop")
    seen.until(lambda found: found.get("n", 0) > 2)
    answer.set()
    found = seen.until(lambda found: "slow" in found)
    assert (found["slow"], found["password"]) == ("there", "[REDACTED:secret]")


def test_a_plain_function_that_is_refreshed_runs_in_a_thread_of_its_own(make: Make) -> None:
    released = threading.Event()

    @enricher(refresh_seconds=60)
    def blocking() -> dict[str, str]:
        released.wait(PATIENCE_SECONDS)
        return {"thread": threading.current_thread().name}

    async def quick() -> dict[str, bool]:
        return {"quick": True}

    seen = Seen(make(blocking, quick))
    assert "thread" not in seen.until(lambda found: "quick" in found)
    released.set()
    assert seen.until(lambda found: "thread" in found)["thread"] == "fapilog-enrich-blocking"


def test_one_that_is_too_slow_raises_or_answers_nonsense_keeps_its_last_answer(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("fapilog.otel.outlet.say", lambda code, what, about: said.append(what))
    turns = iter(["good", "raise", "nonsense", "hang"])

    @enricher(refresh_seconds=0.001, timeout_seconds=0.05)
    async def moody() -> Any:
        turn = next(turns, "good again")
        if turn == "raise":
            raise RuntimeError("no")
        if turn == "nonsense":
            return 5
        if turn == "hang":
            await asyncio.sleep(60)
        return {"turn": turn}

    seen = Seen(make(moody))
    seen.until(lambda found: found.get("turn") == "good again")
    assert [what.split(" after")[0] for what in said] == [
        "enricher moody: RuntimeError: no; its last answer stays",
        "enricher moody: it returned int, not a mapping; its last answer stays",
        "enricher moody: no answer",
    ]


def test_one_that_cannot_be_stopped_is_not_asked_a_second_time(make: Make) -> None:
    calls, released = [], threading.Event()

    @enricher(refresh_seconds=0.001, timeout_seconds=0.01)
    def stuck() -> dict[str, int]:
        calls.append(1)
        released.wait(PATIENCE_SECONDS)
        return {"stuck": len(calls)}

    ticks = iter(range(1_000_000))

    @enricher(refresh_seconds=0.001)
    async def ticking() -> dict[str, int]:
        return {"tick": next(ticks)}

    seen = Seen(make(stuck, ticking))
    seen.until(lambda found: found.get("tick", 0) > 50 and bool(calls))
    assert len(calls) == 1
    released.set()
    seen.until(lambda found: "stuck" in found)


def test_what_an_enricher_logs_on_the_loop_does_not_come_back(make: Make) -> None:
    import logging

    async def talks() -> dict[str, bool]:
        logging.getLogger("talks").error("asked")
        return {"done": True}

    provider = make(talks)
    Seen(provider).until(lambda found: "done" in found)
    assert provider.ledger().refused["capture_failed"] == 0


def test_a_provider_that_is_dropped_lets_its_enrichers_go() -> None:
    class Flags:
        async def __call__(self) -> dict[str, bool]:
            return {"flag": True}

    flags = Flags()
    provider = new_provider(flags, lambda: {"a": 1}, "thread")
    Seen(provider).until(lambda found: "flag" in found)
    known, dropped = weakref.ref(flags), weakref.ref(provider)
    del flags, provider
    gc.collect()
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while (known() is not None or deliver_threads()) and time.monotonic() < deadline:
        pause.wait(0.01)
        gc.collect()
    assert (dropped(), known(), deliver_threads()) == (None, None, [])


def test_refreshed_attributes_reach_the_receiver_with_native_exporters(make: Make) -> None:
    async def flags() -> dict[str, bool]:
        return {"flag": True}

    with OtlpReceiver() as receiver:
        provider = make(flags, "process", exporters=["otlp"], otlp={"endpoint": receiver.logs_endpoint})
        Seen(provider).until(lambda found: "flag" in found)
        assert provider.force_flush(10_000)
        last = receiver.log_records[-1]
        assert (last.attributes["flag"], "process.pid" in last.resource) == (True, True)
        assert provider.shutdown()


def test_a_forked_child_asks_anew_and_says_its_own_pid(receiver: OtlpReceiver) -> None:
    ended = run("fork_enrichers.py", receiver.logs_endpoint)
    assert ended.returncode == 0, ended.stderr
    answered = [record for record in receiver.log_records if record.body != "waiting"]
    found = {record.body: (record.attributes["asked_by"], record.resource) for record in answered}
    parent, child = found["parent"], found["child"]
    assert parent[0] == parent[1]["process.pid"]
    assert child[0] == child[1]["process.pid"] != parent[0]
