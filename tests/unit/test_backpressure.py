"""`overflow="wait"`: calls on a loop give an awaitable for the record that waits, calls off a loop block."""

import asyncio
import errno
import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import loguru

from fapilog import backpressure, diagnostics
from fapilog._native import Completed, PendingRecord
from fapilog.bridges import loguru as loguru_bridge
from fapilog.bridges.stdlib import FapilogHandler
from fapilog.testing import Hold, OtlpReceiver
from tests.unit.recording import Recorder

BUFFER = {"limit_bytes": 4_096, "chunk_bytes": 1_024, "record_bytes": 1_024, "schedule_delay_millis": 0}


@contextmanager
def full_buffer(
    wait_timeout_millis: int, make: type[Recorder] = Recorder
) -> Iterator[tuple[Recorder, threading.Event]]:
    """A recorder whose receiver holds its answers until the event is set."""
    answered = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_always_with(Hold(answered))
        with make(
            exporters=("otlp",),
            otlp={"endpoint": receiver.logs_endpoint, "max_in_flight": 1, "compression": "none"},
            buffer={**BUFFER, "overflow": "wait", "wait_timeout_millis": wait_timeout_millis},
        ) as recorder:
            yield recorder, answered
            answered.set()
            assert recorder.provider.shutdown(10_000)
            assert recorder.provider.ledger().balanced


def fill(recorder: Recorder) -> PendingRecord:
    """Log on a loop until there is no room; answer what the last call returned."""
    log = recorder.logger()
    for number in range(1_000):
        result = log.info("x" * 200, number=number)
        if not isinstance(result, Completed):
            assert isinstance(result, PendingRecord)
            return result
    raise AssertionError("the buffer never filled")


async def filled(recorder: Recorder) -> PendingRecord:
    """As `fill`, for tests without a loop."""
    return fill(recorder)


async def test_awaiting_yields_until_there_is_room_and_nothing_is_lost():
    with full_buffer(wait_timeout_millis=30_000) as (recorder, answered):
        pending = fill(recorder)
        assert pending.is_decided() is False
        answered.set()
        assert await pending is None
        assert pending.is_decided() is True
        assert await pending is None
        assert recorder.provider.force_flush(10_000)
        side = recorder.provider.ledger().exporters["otlp"]
        assert (side.delivered, sum(side.dropped.values())) == (recorder.provider.ledger().accepted, 0)


async def test_at_its_deadline_the_record_is_given_up_and_counted():
    with full_buffer(wait_timeout_millis=1) as (recorder, _):
        assert await fill(recorder) is None
        assert recorder.provider.ledger().exporters["otlp"].dropped["wait_timeout"] == 1


async def test_an_awaitable_that_is_thrown_away_leaves_its_record_waiting():
    with full_buffer(wait_timeout_millis=30_000) as (recorder, answered):
        pending = fill(recorder)
        del pending
        gc.collect()
        ledger = recorder.provider.ledger()
        assert ledger.exporters["otlp"].pending == ledger.accepted
        answered.set()
        assert recorder.provider.force_flush(10_000)
        assert recorder.provider.ledger().exporters["otlp"].delivered == ledger.accepted


async def test_a_call_without_a_loop_blocks_until_there_is_room():
    with full_buffer(wait_timeout_millis=30_000) as (recorder, answered):
        pending = fill(recorder)
        results: list[object] = []
        blocked = threading.Thread(target=lambda: results.append(recorder.logger().info("y" * 200)))
        blocked.start()
        answered.set()
        blocked.join(10)
        assert not blocked.is_alive()
        assert isinstance(results[0], Completed)
        await pending


async def test_several_tasks_may_await_one_record():
    with full_buffer(wait_timeout_millis=30_000) as (recorder, answered):
        pending = fill(recorder)

        async def wait():
            return await pending

        tasks = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        answered.set()
        assert await asyncio.gather(*tasks[1:]) == [None, None]
        assert tasks[0].cancelled()
        assert backpressure._waiting == {}


async def test_without_a_free_descriptor_a_task_looks_again_by_time(monkeypatch):
    class NoBell:
        def fd(self):
            raise OSError(errno.EMFILE, "Too many open files")

    with full_buffer(wait_timeout_millis=30_000) as (recorder, answered):
        monkeypatch.setattr(backpressure, "_native", SimpleNamespace(RoomBell=NoBell))
        pending = fill(recorder)
        answered.set()
        assert await pending is None
        assert pending.is_decided() is True


async def test_loops_of_other_threads_may_come_and_go_while_a_task_begins_to_wait(monkeypatch):
    class Loop:
        def is_closed(self):
            # Another thread's loop begins to wait just now.
            waiting[id(self) + len(waiting)] = SimpleNamespace(loop=other)
            return False

    other = Loop()
    waiting = {1: SimpleNamespace(loop=other)}
    monkeypatch.setattr(backpressure, "_waiting", waiting)
    with full_buffer(wait_timeout_millis=30_000) as (recorder, answered):
        pending = fill(recorder)
        answered.set()
        assert await pending is None


def test_a_record_of_loguru_never_blocks_its_thread_which_holds_a_lock_of_all_threads():
    with full_buffer(wait_timeout_millis=600_000) as (recorder, answered):
        pending = asyncio.run(filled(recorder))
        loguru.logger.remove()
        remove = loguru_bridge.install(handle=recorder.provider.handle)
        try:
            # No thread of a loop: it would wait for ten minutes.
            loguru.logger.warning("left in the queue")
        finally:
            remove()
        ledger = recorder.provider.ledger()
        assert ledger.exporters["otlp"].pending == ledger.accepted
        assert backpressure.must_not_block() is False
        del pending
        answered.set()
        assert recorder.provider.force_flush(10_000)
        assert recorder.provider.ledger().exporters["otlp"].delivered == ledger.accepted
        assert recorder.records[-1].body == "left in the queue"


def test_a_wait_inside_of_a_locked_handler_of_logging_is_said_once(capsys):
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    diagnostics._voice.forget()
    with full_buffer(wait_timeout_millis=1) as (recorder, _):
        asyncio.run(filled(recorder))
        record = logging.LogRecord("shop", logging.WARNING, __file__, 1, "x" * 200, None, None)
        for _ in range(2):
            LoggingHandler(logger_provider=recorder.provider).handle(record)
            FapilogHandler(recorder.provider.handle).handle(record)
        said = (
            "fapilog: a call waits for room inside of"
            " opentelemetry.instrumentation.logging.handler.LoggingHandler, which is locked meanwhile:"
            " other threads and event loops that log through it wait too; take our bridge instead"
            " [handler-lock]\n"
        )
        assert capsys.readouterr().err == said
