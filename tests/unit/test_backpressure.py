"""`overflow="wait"`: calls on a loop give an awaitable for the record that waits, calls off a loop block."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fapilog._native import Completed, PendingRecord
from fapilog.testing import Hold, OtlpReceiver
from tests.unit.recording import Recorder

BUFFER = {"limit_bytes": 4_096, "chunk_bytes": 1_024, "record_bytes": 1_024, "schedule_delay_millis": 0}


@contextmanager
def full_buffer(wait_timeout_millis: int) -> Iterator[tuple[Recorder, threading.Event]]:
    """A recorder whose receiver holds its answers until the event is set."""
    answered = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_always_with(Hold(answered))
        with Recorder(
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
