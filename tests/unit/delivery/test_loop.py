"""The thread with the event loop."""

import asyncio
import logging
import threading
from contextvars import ContextVar

import pytest
from opentelemetry import context as otel_context

from fapilog import diagnostics
from fapilog.delivery.loop import LoopThread
from fapilog.diagnostics import is_delivering
from fapilog.testing import capture_logs

PATIENCE_SECONDS = 10.0
request_id: ContextVar[str] = ContextVar("request_id", default="none")


@pytest.fixture
def thread():
    running = LoopThread("fapilog-test")
    running.start()
    yield running
    running.stop()
    assert running.join(PATIENCE_SECONDS)


def answer(thread: LoopThread, make):
    return thread.submit(make).result(PATIENCE_SECONDS)


def test_what_runs_there_is_marked_makes_no_spans_and_has_no_context_of_the_caller(thread):
    request_id.set("42")

    async def look():
        suppressed = otel_context.get_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY)
        aside = await asyncio.to_thread(is_delivering)
        return is_delivering(), suppressed, request_id.get(), aside, thread.is_current

    assert answer(thread, look) == (True, True, "none", True, True)
    assert (is_delivering(), thread.is_current) == (False, False)


def test_an_exception_comes_back_to_the_caller(thread):
    async def fail():
        raise LookupError("nothing")

    with pytest.raises(LookupError, match="nothing"):
        answer(thread, fail)


def test_tasks_that_do_not_end_are_let_go_of_without_noise(capfd, recwarn):
    thread = LoopThread("fapilog-test")
    thread.start()
    begun = threading.Event()

    async def deaf():
        begun.set()
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                continue

    thread.post(lambda: asyncio.get_running_loop().create_task(deaf()))
    assert begun.wait(PATIENCE_SECONDS)
    thread.stop()
    assert thread.join(PATIENCE_SECONDS)
    del thread
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_asking_a_loop_that_has_ended_gives_a_cancelled_answer():
    thread = LoopThread("fapilog-test")
    thread.start()
    thread.stop()
    assert thread.join(PATIENCE_SECONDS)

    async def never(): ...

    assert thread.submit(never).cancelled()


def test_what_a_callback_raises_is_said_and_the_loop_goes_on(thread, capsys):
    def fail():
        raise LookupError("broken callback")

    thread.post(fail)

    async def fine():
        return "fine"

    assert answer(thread, fine) == "fine"
    assert "LookupError: broken callback" in capsys.readouterr().err


def test_a_loop_that_is_made_adds_no_record_of_asyncio():
    log = logging.getLogger("asyncio")
    with capture_logs() as records:
        log.setLevel(logging.DEBUG)
        try:
            LoopThread("fapilog-test").loop.close()
            log.debug("of the application")
        finally:
            log.setLevel(logging.NOTSET)
    assert [record.body for record in records] == ["of the application"]


def exits():
    raise SystemExit(3)


def stops():
    asyncio.get_running_loop().stop()


@pytest.mark.parametrize(("end", "said"), [(exits, "SystemExit: 3"), (stops, "RuntimeError")])
def test_a_task_or_a_callback_that_would_end_the_loop_does_not(thread, end, said, capfd):
    diagnostics._voice.forget()

    async def leave_behind():
        async def task():
            end()

        asyncio.get_running_loop().call_soon(end)
        return asyncio.create_task(task())

    async def later():
        await asyncio.sleep(0.01)
        return "there"

    thread.submit(leave_behind).result(PATIENCE_SECONDS)
    assert answer(thread, later) == "there"
    assert said in capfd.readouterr().err
