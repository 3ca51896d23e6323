"""Many threads and tasks at once: nothing lost, order kept, and no record with the context of another."""

import asyncio
import contextvars
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import fapilog
from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.integration.beside import Ledgers, beside
from tests.integration.harness import counts, in_order, sequence

Configure = Callable[..., fapilog.Telemetry]
ALL_IN_TIME_MILLIS = 30_000
THREADS = 8


def span(trace_id: int, span_id: int = 1) -> NonRecordingSpan:
    return NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1)))


def together(work: Callable[[int], object], count: int = THREADS) -> None:
    """Runs `work` in threads that begin at the same time; what one raises is raised here."""
    barrier = threading.Barrier(count)

    def begin(name: int) -> None:
        barrier.wait(10)
        work(name)

    with ThreadPoolExecutor(count) as pool:
        for _ in pool.map(begin, range(count)):
            pass


def by_worker(records: list[ReceivedLogRecord]) -> dict[int, list[int]]:
    """The numbers that each worker logged, in the order of the sequence numbers."""
    found: dict[int, list[int]] = {}
    for record in in_order(records):
        found.setdefault(record.attributes["worker"], []).append(record.attributes["number"])
    return found


def test_eight_threads_deliver_160_000_records_each_in_its_order(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    each = 20_000
    telemetry = configure()

    def work(worker: int) -> None:
        log = fapilog.get_logger("threads")
        for number in range(each):
            log.info("step", worker=worker, number=number)

    together(work)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    total = THREADS * each
    assert counts(telemetry.ledger()) == {"offered": total, "accepted": total, "delivered": total}
    assert receiver.log_record_count == total
    records = receiver.log_records
    assert sorted(sequence(record) for record in records) == list(range(total))
    assert by_worker(records) == {worker: list(range(each)) for worker in range(THREADS)}


def test_threads_that_share_a_logger_never_mix_spans_or_bound_attributes(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    each = 2_000
    telemetry = configure()
    log = fapilog.get_logger("shared")

    def work(worker: int) -> None:
        for number in range(each):
            trace_id = 1 + worker * each + number
            with (
                trace.use_span(span(trace_id, worker + 1)),
                fapilog.bind_context(tenant=worker, inside=trace_id),
            ):
                log.info("in", worker=worker, number=number, expected=f"{trace_id:032x}")
            log.info("out", worker=worker, number=number)

    together(work)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    records = receiver.log_records
    assert len(records) == 2 * each * THREADS
    wrong = [record for record in records if context_of(record) != expected_context(record)]
    assert wrong == []


def context_of(record: ReceivedLogRecord) -> tuple[object, ...]:
    bound = (record.attributes.get("tenant"), record.attributes.get("inside"))
    return (record.trace_id, record.span_id, record.flags, *bound)


def expected_context(record: ReceivedLogRecord) -> tuple[object, ...]:
    """What the record's own attributes say that it was logged under."""
    if record.body == "out":
        return ("", "", 0, None, None)
    expected, worker = record.attributes["expected"], record.attributes["worker"]
    return (expected, f"{worker + 1:016x}", 1, worker, int(expected, 16))


async def test_hundreds_of_tasks_keep_their_own_contexts(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    tasks, steps = 300, 10
    telemetry = configure()
    log = fapilog.get_logger("tasks")
    turns = random.Random(7)

    async def child(worker: int, number: int, expected: str) -> None:
        await asyncio.sleep(0)
        await log.info("in", worker=worker, number=number, expected=expected, child=True)

    async def work(worker: int) -> None:
        for number in range(steps):
            trace_id = 1 + worker * steps + number
            expected = f"{trace_id:032x}"
            async with fapilog.bind_context(tenant=worker):
                with trace.use_span(span(trace_id, worker + 1)), fapilog.bind_context(inside=trace_id):
                    for _ in range(turns.randrange(3)):
                        await asyncio.sleep(0)
                    await log.info("in", worker=worker, number=number, expected=expected)
                    # A task starts with a copy of the context.
                    started = asyncio.create_task(child(worker, number, expected))
                    await asyncio.to_thread(log.info, "in", worker=worker, number=number, expected=expected)
            await started
            await log.info("out", worker=worker, number=number)

    await asyncio.gather(*(work(worker) for worker in range(tasks)))
    assert await asyncio.to_thread(telemetry.force_flush, ALL_IN_TIME_MILLIS)
    records = receiver.log_records
    assert len(records) == 4 * steps * tasks
    wrong = [record for record in records if context_of(record) != expected_context(record)]
    assert wrong == []
    outside = by_worker([record for record in records if record.body == "out"])
    assert outside == {worker: list(range(steps)) for worker in range(tasks)}


def test_a_thread_has_the_context_that_it_was_started_with_and_no_other(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure()
    log = fapilog.get_logger("threads")
    with trace.use_span(span(7)), fapilog.bind_context(tenant=0, inside=7):
        copied = contextvars.copy_context()
        arguments = {"worker": 0, "number": 0, "expected": f"{7:032x}"}
        inheriting = threading.Thread(target=copied.run, args=(lambda: log.info("in", **arguments),))
        fresh = threading.Thread(target=lambda: log.info("out", worker=0, number=0))
    for thread in (inheriting, fresh):
        thread.start()
        thread.join(10)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert sorted(record.body for record in receiver.log_records) == ["in", "out"]
    assert [context_of(record) for record in receiver.log_records] == [
        expected_context(record) for record in receiver.log_records
    ]


def test_threads_that_come_and_go_leave_all_their_records(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure()

    def work(number: int) -> None:
        fapilog.get_logger("short").info("lived", worker=0, number=number)

    for start in range(0, 400, 40):
        threads = [threading.Thread(target=work, args=(start + number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert sorted(by_worker(receiver.log_records)[0]) == list(range(400))


def test_levels_flushes_and_ledgers_may_change_and_be_read_while_threads_log(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure()
    ledgers = Ledgers(telemetry.ledger)

    def watch() -> None:
        telemetry.set_level(["debug", "info"][ledgers.look().offered % 2])
        telemetry.force_flush(5)

    def work(worker: int) -> None:
        log = fapilog.get_logger("threads")
        for number in range(3_000):
            log.info("step", worker=worker, number=number)

    with beside(watch):
        together(work, 4)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert ledgers.looks > 0
    assert by_worker(receiver.log_records) == {worker: list(range(3_000)) for worker in range(4)}
