"""Flush, shutdown and configuration: truthful answers, in time, and nothing left behind."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace

import fapilog
from fapilog.errors import LifecycleError
from fapilog.testing import Hold, OtlpReceiver
from tests.integration.harness import bodies, counts, settings_for

Configure = Callable[..., fapilog.Telemetry]
ALL_IN_TIME_MILLIS = 10_000
# What a call may take beyond its limit on a busy machine.
SLACK_SECONDS = 1.0
TASKS = Path("/proc/self/task")


class NativeThreads:
    """The threads that fapilog started since this was made, by the kernel's list of the process's threads."""

    def __init__(self) -> None:
        if not TASKS.exists():
            pytest.skip("threads are listed in /proc, which is Linux's")
        self._before = set(self._listed())

    def names(self) -> set[str]:
        return {name for identity, name in self._listed().items() if identity not in self._before}

    def _listed(self) -> dict[str, str]:
        found = {}
        for task in TASKS.iterdir():
            # A thread may end between its listing and its reading.
            with contextlib.suppress(OSError):
                found[task.name] = (task / "comm").read_text().strip()
        return {identity: name for identity, name in found.items() if name.startswith("fapilog")}


def elapsed(call: Callable[[], bool]) -> tuple[bool, float]:
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


# Flush


def test_a_flush_answers_false_in_time_while_the_receiver_holds_and_true_after(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    release = threading.Event()
    receiver.answer_with(Hold(release))
    telemetry = configure()
    fapilog.get_logger("orders").info("held")
    answer, seconds = elapsed(lambda: telemetry.force_flush(200))
    assert (answer, 0.2 <= seconds < 0.2 + SLACK_SECONDS) == (False, True)
    assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "pending": 1}
    release.set()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "delivered": 1}


def test_a_flush_of_nothing_is_true_at_once_and_starts_no_thread(configure: Configure) -> None:
    threads = NativeThreads()
    answer, seconds = elapsed(configure().force_flush)
    assert (answer, seconds < SLACK_SECONDS, threads.names()) == (True, True, set())


def test_a_flush_waits_only_for_records_from_before_it(configure: Configure, receiver: OtlpReceiver) -> None:
    first, second = threading.Event(), threading.Event()
    receiver.answer_with(Hold(first), Hold(second))
    telemetry = configure()
    log = fapilog.get_logger("orders")
    log.info("before")
    with ThreadPoolExecutor(1) as pool:
        flushing = pool.submit(telemetry.force_flush, ALL_IN_TIME_MILLIS)
        receiver.wait_for_requests(1)
        log.info("meanwhile")
        first.set()
        assert flushing.result(10)
    second.set()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver) == ["before", "meanwhile"]


def test_many_threads_may_flush_and_log_at_once(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure()

    def work(name: int) -> bool:
        log = fapilog.get_logger(f"orders.{name}")
        answers = []
        for number in range(20):
            log.info("order", worker=name, number=number)
            answers.append(telemetry.force_flush(ALL_IN_TIME_MILLIS))
        return all(answers)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    arrived = sorted(
        (record.attributes["worker"], record.attributes["number"]) for record in receiver.log_records
    )
    assert arrived == [(worker, number) for worker in range(8) for number in range(20)]
    assert counts(telemetry.ledger()) == {"offered": 160, "accepted": 160, "delivered": 160}


def test_records_leave_after_the_schedule_delay_without_a_flush(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(buffer={"schedule_delay_millis": 50})
    log = fapilog.get_logger("orders")
    for number in range(3):
        log.info(str(number))
        receiver.wait_for_log_records(number + 1)
    assert bodies(receiver) == ["0", "1", "2"]
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)


# Shutdown


def test_shutdown_delivers_ends_the_threads_and_may_be_called_again(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    threads, python_threads = NativeThreads(), set(threading.enumerate())
    telemetry = configure(otlp={"max_in_flight": 3})
    fapilog.get_logger("orders").info("last words")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    # A thread takes its name when it first runs; some senders may not have.
    assert "fapilog-seal" in threads.names()
    assert telemetry.shutdown()
    assert bodies(receiver) == ["last words"]
    assert threads.names() == set()
    # The receiver has a thread for each connection.
    started = {thread.name for thread in threading.enumerate() if thread not in python_threads}
    assert {name for name in started if not name.startswith("otlp-")} == set()
    assert (telemetry.shutdown(), telemetry.force_flush()) == (True, True)
    assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "delivered": 1}


def test_records_after_shutdown_are_refused_by_every_door(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    early = fapilog.get_logger("early")
    telemetry = configure()
    api = telemetry.logger_provider.get_logger("api")
    early.info("in time")
    assert telemetry.shutdown()
    early.info("late")
    early.error("late")
    api.emit(body="late")
    fapilog.get_logger("new").info("late")
    logging.getLogger("legacy").error("late, and its handler is gone")
    telemetry.logger_provider.get_logger("after").emit(body="a logger from after shutdown does nothing")
    assert bodies(receiver) == ["in time"]
    assert counts(telemetry.ledger()) == {
        "offered": 5,
        "refused.shut_down": 4,
        "accepted": 1,
        "delivered": 1,
    }


@pytest.mark.parametrize("state", ["refuses connections", "holds its answer"])
def test_shutdown_without_an_answer_ends_in_time_and_counts_what_is_lost(
    configure: Configure, receiver: OtlpReceiver, state: str
) -> None:
    if state == "refuses connections":
        receiver.refuse_connections()
    else:
        receiver.answer_always_with(Hold(threading.Event()))
    telemetry = configure()
    for _ in range(5):
        fapilog.get_logger("orders").info("lost")
    answer, seconds = elapsed(lambda: telemetry.shutdown(300))
    assert (answer, 0.3 <= seconds < 0.3 + SLACK_SECONDS) == (False, True)
    assert counts(telemetry.ledger()) == {"offered": 5, "accepted": 5, "dropped.shutdown": 5}
    assert telemetry.health().status == "shut_down"


def test_shutdown_may_be_told_not_to_wait_for_answers(configure: Configure, receiver: OtlpReceiver) -> None:
    receiver.answer_always_with(Hold(threading.Event()))
    telemetry = configure()
    fapilog.get_logger("orders").info("lost")
    answer, seconds = elapsed(lambda: telemetry.shutdown(0))
    assert (answer, seconds < SLACK_SECONDS) == (False, True)
    assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "dropped.shutdown": 1}


def test_shutdown_wakes_a_sender_from_its_pause(configure: Configure, receiver: OtlpReceiver) -> None:
    threads = NativeThreads()
    receiver.refuse_connections()
    telemetry = configure(otlp={"retry": {"initial_backoff_millis": 60_000, "max_backoff_millis": 60_000}})
    fapilog.get_logger("orders").info("lost")
    answer, seconds = elapsed(lambda: telemetry.shutdown(100))
    assert (answer, seconds < 0.1 + SLACK_SECONDS, threads.names()) == (False, True, set())


def test_a_call_that_waits_for_room_ends_with_shutdown(configure: Configure, receiver: OtlpReceiver) -> None:
    receiver.answer_always_with(Hold(threading.Event()))
    limits = {"overflow": "wait", "max_queue_records": 1, "wait_timeout_millis": 60_000}
    telemetry = configure(buffer=limits)
    log = fapilog.get_logger("orders")
    log.info("fills the queue")
    waiting = threading.Thread(target=log.info, args=("waits",))
    waiting.start()
    deadline = time.monotonic() + 10
    # What waits for room is accepted already.
    while telemetry.ledger().accepted < 2 and time.monotonic() < deadline:
        assert not telemetry.force_flush(10)
    assert not telemetry.shutdown(100)
    waiting.join(10)
    assert not waiting.is_alive()
    assert counts(telemetry.ledger()) == {"offered": 2, "accepted": 2, "dropped.shutdown": 2}


def test_leaving_a_with_block_shuts_down(configure: Configure, receiver: OtlpReceiver) -> None:
    with configure() as telemetry:
        fapilog.get_logger("orders").info("inside")
    assert bodies(receiver) == ["inside"]
    assert telemetry.health().status == "shut_down"


async def test_leaving_an_async_with_block_shuts_down(configure: Configure, receiver: OtlpReceiver) -> None:
    async with configure() as telemetry:
        await fapilog.get_logger("orders").info("inside")
    assert bodies(receiver) == ["inside"]
    assert telemetry.health().status == "shut_down"


# Configuration


def test_loggers_from_before_configuration_log_to_what_was_configured(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    log = fapilog.get_logger("early", tenant="acme")
    telemetry = configure(sequence=False)
    log.info("now")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    [record] = receiver.log_records
    assert (record.scope_name, record.body, record.attributes) == ("early", "now", {"tenant": "acme"})


def test_the_same_arguments_give_the_same_telemetry_and_others_raise(configure: Configure) -> None:
    telemetry = configure(level="debug")
    assert configure(level="debug") is telemetry
    with pytest.raises(LifecycleError, match="with other arguments") as raised:
        configure(level="error")
    assert raised.value.code == "already-configured"
    assert "level: " in str(raised.value)


def test_after_shutdown_the_process_may_be_configured_again(
    configure: Configure, receiver: OtlpReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    log = fapilog.get_logger("orders")
    for name in ("first", "second", "third"):
        telemetry = configure(service={"resource_attributes": {"run": name}})
        log.info(name)
        _logs.get_logger("api").emit(body=name)
        logging.getLogger("legacy").error(name)
        assert _logs.get_logger_provider() is telemetry.logger_provider
        assert trace.get_tracer_provider() is telemetry.tracer_provider
        assert metrics.get_meter_provider() is telemetry.meter_provider
        assert telemetry.shutdown()
        assert counts(telemetry.ledger()) == {"offered": 3, "accepted": 3, "delivered": 3}
    arrived = [(record.body, record.resource["run"]) for record in receiver.log_records]
    assert arrived == [(name, name) for name in ("first", "second", "third") for _ in range(3)]
    assert capfd.readouterr().err == ""


def test_shutdown_puts_back_what_configuration_changed(configure: Configure) -> None:
    import sys
    import warnings

    root = logging.getLogger()

    def state() -> tuple[Any, ...]:
        return (
            list(root.handlers),
            root.level,
            sys.excepthook,
            threading.excepthook,
            warnings.showwarning,
        )

    before = state()
    telemetry = configure(exception_hooks=True, capture_warnings=True)
    assert state() != before
    telemetry.shutdown()
    assert state() == before


def test_providers_side_by_side_share_nothing() -> None:
    with OtlpReceiver() as one, OtlpReceiver() as other:
        first = fapilog.LoggerProvider(settings=settings_of(one))
        second = fapilog.LoggerProvider(settings=settings_of(other))
        release = threading.Event()
        one.answer_always_with(Hold(release))
        for number in range(3):
            first.get_logger("lib").emit(body=f"first {number}")
        second.get_logger("lib").emit(body="second")
        assert not first.force_flush(50)
        assert second.force_flush(ALL_IN_TIME_MILLIS)
        assert second.shutdown()
        first.get_logger("lib").emit(body="first 3")
        release.set()
        assert first.shutdown()
        assert (bodies(one), bodies(other)) == ([f"first {number}" for number in range(4)], ["second"])
        assert counts(first.ledger()) == {"offered": 4, "accepted": 4, "delivered": 4}
        assert counts(second.ledger()) == {"offered": 1, "accepted": 1, "delivered": 1}


def settings_of(receiver: OtlpReceiver) -> fapilog.Settings:
    return fapilog.Settings.load(environ={}, **settings_for(receiver.logs_endpoint))
