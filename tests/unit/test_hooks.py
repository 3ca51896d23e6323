"""Uncaught exceptions become records, and what the program prints does not change."""

import asyncio
import sys
import threading

import pytest

from fapilog import hooks
from fapilog.logger import default_handle
from tests.unit.recording import Recorder


@pytest.fixture
def recorder():
    """A recorder behind the process-wide loggers, which the hooks use."""
    with Recorder() as recorder:
        before = default_handle.pipeline
        default_handle.attach(recorder.provider.pipeline)
        yield recorder
        default_handle.attach(before)


@pytest.fixture
def replaced(monkeypatch):
    """What the hooks replaced: lists of the calls."""
    calls: dict[str, list[object]] = {"sys": [], "thread": []}
    monkeypatch.setattr(sys, "excepthook", lambda *arguments: calls["sys"].append(arguments))
    monkeypatch.setattr(threading, "excepthook", calls["thread"].append)
    return calls


def summary(recorder: Recorder) -> list[tuple[object, ...]]:
    """Answer what tells the records of the hooks apart."""
    return [
        (
            found.scope_name,
            found.severity_text,
            found.body,
            found.event_name,
            found.attributes["exception.type"],
        )
        for found in recorder.records
    ]


def test_an_uncaught_exception_is_fatal_and_the_replaced_hook_runs_after(recorder, replaced):
    remove = hooks.install()
    error = ValueError("v")
    sys.excepthook(ValueError, error, None)
    remove()
    assert summary(recorder) == [("fapilog.hooks", "FATAL", "uncaught exception", "exception", "ValueError")]
    assert replaced["sys"] == [(ValueError, error, None)]


def test_a_keyboard_interrupt_is_no_record(recorder, replaced):
    remove = hooks.install()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    remove()
    assert (recorder.records, len(replaced["sys"])) == ([], 1)


def test_an_exception_that_ends_a_thread_is_an_error_with_the_threads_name(recorder, replaced):
    def fail() -> None:
        raise KeyError("k")

    remove = hooks.install()
    thread = threading.Thread(target=fail, name="worker-1")
    thread.start()
    thread.join(5)
    remove()
    body = "uncaught exception in thread"
    assert summary(recorder) == [("fapilog.hooks", "ERROR", body, "exception", "KeyError")]
    assert recorder.only.attributes["thread.name"] == "worker-1"
    assert len(replaced["thread"]) == 1


def test_a_thread_hook_without_thread_or_exception_still_runs_the_replaced_one(recorder, replaced):
    remove = hooks.install()
    threading.excepthook(threading.ExceptHookArgs((ValueError, None, None, None)))
    threading.excepthook(threading.ExceptHookArgs((ValueError, ValueError("v"), None, None)))
    remove()
    assert (recorder.only.attributes["thread.name"], len(replaced["thread"])) == ("", 2)


def test_removing_puts_the_replaced_hooks_back(replaced):
    before = sys.excepthook, threading.excepthook
    remove = hooks.install()
    during = sys.excepthook, threading.excepthook
    remove()
    assert during != before
    assert (sys.excepthook, threading.excepthook) == before


def test_removing_leaves_hooks_that_somebody_set_meanwhile(replaced, monkeypatch):
    remove = hooks.install()
    mine = (lambda *_: None, lambda _: None)
    monkeypatch.setattr(sys, "excepthook", mine[0])
    monkeypatch.setattr(threading, "excepthook", mine[1])
    remove()
    assert (sys.excepthook, threading.excepthook) == mine


@pytest.mark.parametrize("given", [True, False])
async def test_what_a_loop_reports_is_an_error_and_the_loops_own_handler_goes_on(recorder, given, caplog):
    loop, seen = asyncio.get_running_loop(), []
    if given:
        loop.set_exception_handler(lambda _, context: seen.append(context))
    hooks.watch_loop()
    reported = {"message": "task failed", "exception": ValueError("v")}
    loop.call_exception_handler(reported)
    assert summary(recorder) == [("fapilog.hooks", "ERROR", "task failed", "exception", "ValueError")]
    assert (seen, "task failed" in caplog.text) == (([reported], False) if given else ([], True))


async def test_a_report_without_message_and_exception_is_recorded_too(recorder):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    hooks.watch_loop(loop)
    loop.call_exception_handler({})
    assert (recorder.only.body, recorder.only.attributes) == ("exception in event loop", {})


def test_a_loop_must_run_or_be_given():
    with pytest.raises(RuntimeError):
        hooks.watch_loop()
