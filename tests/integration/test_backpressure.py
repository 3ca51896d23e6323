"""Waiting for room: who waits, in which order, and what audit records have that others do not."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import loguru
import pytest
import structlog
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import fapilog
from fapilog.bridges import loguru as loguru_bridge_module
from fapilog.bridges.structlog import FapilogProcessor
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.harness import LIMIT_RECORDS, bodies, counts, in_order, sequence

Configure = Callable[..., fapilog.Telemetry]
PATIENCE_MILLIS = 20_000
# One record fills a chunk, so that the limit is reached record by record.
CHUNK_BYTES = 2_048
PADDING = "x" * 700


def arrived(receiver: OtlpReceiver) -> list[Any]:
    """What arrived after the records that filled the buffer."""
    return [body for body in bodies(receiver) if not str(body).isdigit()]


# Who waits


def test_tasks_of_several_loops_and_threads_are_served_in_the_order_of_their_calls(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=60_000)
    log = fapilog.get_logger("orders")
    go = [threading.Event() for _ in range(6)]
    called = [threading.Event() for _ in range(6)]

    async def tasks(first: int) -> None:
        async def emit(number: int) -> None:
            await log.info(f"task {number}")

        pending = []
        for number in (first, first + 1, first + 2):
            await asyncio.to_thread(go[number].wait, 30)
            pending.append(asyncio.create_task(emit(number)))
            await asyncio.sleep(0)
            called[number].set()
        await asyncio.gather(*pending)

    def call(number: int) -> None:
        log.info(f"thread {number}")

    threads = [threading.Thread(target=asyncio.run, args=(tasks(first),)) for first in (0, 3)]
    for thread in threads:
        thread.start()
    order = [0, 3, 1, 4, 5, 2]
    expected = []
    for count, number in enumerate(order):
        go[number].set()
        assert called[number].wait(30)
        expected.append(f"task {number}")
        threads.append(threading.Thread(target=call, args=(number,)))
        threads[-1].start()
        waiting = LIMIT_RECORDS + 2 * (count + 1)
        wait_until(lambda waiting=waiting: telemetry.health().pending == waiting)  # type: ignore[misc]
        expected.append(f"thread {number}")
    release.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert telemetry.force_flush(PATIENCE_MILLIS)
    assert arrived(receiver) == expected
    assert counts(telemetry.ledger()) == {"offered": 22, "accepted": 22, "delivered": 22}


async def test_ten_thousand_tasks_that_wait_let_the_loop_run_and_lose_nothing(
    configure: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    small = {"overflow": "wait", "limit_bytes": 16_384, "chunk_bytes": 2_048, "record_bytes": 1_024}
    telemetry = configure(buffer=small | {"wait_timeout_millis": 120_000})
    log = fapilog.get_logger("orders")

    async def emit(number: int) -> None:
        await log.info(str(number))

    tasks = [asyncio.create_task(emit(number)) for number in range(10_000)]
    for _ in range(50):
        await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) < 5_000
    assert telemetry.health().pending == 10_000
    release.set()
    await asyncio.gather(*tasks)
    assert await asyncio.to_thread(telemetry.force_flush, PATIENCE_MILLIS)
    assert [record.body for record in in_order(receiver.log_records)] == [str(n) for n in range(10_000)]
    assert counts(telemetry.ledger()) == {"offered": 10_000, "accepted": 10_000, "delivered": 10_000}


def test_a_loop_that_is_closed_while_its_tasks_wait_leaves_their_records(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=60_000)

    async def emit() -> None:
        await fapilog.get_logger("orders").info("left behind")

    loop = asyncio.new_event_loop()
    task = loop.create_task(emit())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.stop()
    loop.close()
    assert not task.done()
    release.set()
    assert telemetry.force_flush(PATIENCE_MILLIS)
    assert arrived(receiver) == ["left behind"]
    # The next loop finds nothing of the closed one in its way.
    asyncio.run(emit())
    assert telemetry.force_flush(PATIENCE_MILLIS)
    assert arrived(receiver) == ["left behind", "left behind"]
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    task.get_coro().close()  # type: ignore[union-attr]


@pytest.mark.parametrize("library", ["uvloop", "trio"])
def test_other_event_loops_yield_too(
    full: Configure, receiver: OtlpReceiver, release: threading.Event, library: str
) -> None:
    module = pytest.importorskip(library)
    telemetry = full(wait_timeout_millis=60_000)
    log = fapilog.get_logger("orders")
    ran = []

    async def emit() -> None:
        await log.info("awaited")
        ran.append("emit")

    async def on_uvloop() -> None:
        task = asyncio.create_task(emit())
        await asyncio.sleep(0.05)
        ran.append("other")
        release.set()
        await task

    async def other() -> None:
        await module.sleep(0.05)
        ran.append("other")
        release.set()

    async def on_trio() -> None:
        async with module.open_nursery() as nursery:
            nursery.start_soon(emit)
            nursery.start_soon(other)

    if library == "uvloop":
        with asyncio.Runner(loop_factory=module.new_event_loop) as runner:
            runner.run(on_uvloop())
    else:
        module.run(on_trio)
    assert ran == ["other", "emit"]
    assert telemetry.force_flush(PATIENCE_MILLIS)
    assert arrived(receiver) == ["awaited"]


async def test_a_call_that_is_not_awaited_never_blocks_the_loop_and_its_record_waits(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=30_000)
    began = time.monotonic()
    fapilog.get_logger("orders").info("forgotten")
    assert time.monotonic() - began < 1
    assert counts(telemetry.ledger()) == {"offered": 11, "accepted": 11, "pending": 11}
    release.set()
    assert await asyncio.to_thread(telemetry.force_flush, PATIENCE_MILLIS)
    assert bodies(receiver)[-1] == "forgotten"
    assert counts(telemetry.ledger()) == {"offered": 11, "accepted": 11, "delivered": 11}


async def test_records_that_nobody_awaits_wait_while_they_fill_no_more_than_a_chunk(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=30_000, chunk_bytes=2_048, record_bytes=2_048)
    for _ in range(10):
        fapilog.get_logger("orders").info(PADDING)
    assert counts(telemetry.ledger()) == {
        "offered": 20,
        "accepted": 20,
        "dropped.not_awaited": 8,
        "pending": 12,
    }
    release.set()
    assert await asyncio.to_thread(telemetry.force_flush, PATIENCE_MILLIS)
    numbers = {sequence(record) for record in receiver.log_records}
    assert set(range(20)) - numbers == set(range(10, 18))


async def test_a_cancelled_task_leaves_its_record_waiting(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=30_000)

    async def emit() -> None:
        await fapilog.get_logger("orders").info("cancelled")

    task = asyncio.create_task(emit())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    # The traceback of the cancellation holds the record: it is left with its last reference.
    del task
    gc.collect()
    assert counts(telemetry.ledger()) == {"offered": 11, "accepted": 11, "pending": 11}
    release.set()
    assert await asyncio.to_thread(telemetry.force_flush, PATIENCE_MILLIS)
    assert bodies(receiver)[-1] == "cancelled"


def test_a_record_that_nobody_awaits_is_given_up_at_its_deadline(
    full: Configure, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=50)

    async def forget() -> None:
        fapilog.get_logger("orders").info("forgotten")

    asyncio.run(forget())
    wait_until(lambda: telemetry.ledger().exporters["otlp"].dropped["wait_timeout"] == 1)
    assert counts(telemetry.ledger())["pending"] == LIMIT_RECORDS


# Records that the flight recorder lets out


SPAN = NonRecordingSpan(SpanContext(7, 7, is_remote=True, trace_flags=TraceFlags(1)))
RECORDER = {"enabled": True}


def fail() -> Any:
    """Logs ten records below the level in a trace that fails then; what the failing call returned."""
    log = fapilog.get_logger("orders")
    with trace.use_span(SPAN):
        for number in range(10):
            log.debug(f"kept {number} {PADDING}")
        return log.error("failed")


def test_off_an_event_loop_records_that_a_failure_lets_out_wait_for_room_as_calls_do(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=60_000, flight_recorder=RECORDER)
    thread = threading.Thread(target=fail)
    thread.start()
    wait_until(lambda: telemetry.health().pending == LIMIT_RECORDS + 1)
    release.set()
    thread.join(30)
    assert not thread.is_alive()
    assert telemetry.force_flush(PATIENCE_MILLIS)
    assert arrived(receiver) == [*(f"kept {number} {PADDING}" for number in range(10)), "failed"]
    assert telemetry.ledger().exporters["otlp"].lost == 0


async def test_on_an_event_loop_they_wait_while_they_fill_no_more_than_a_chunk_and_the_loop_runs(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full(wait_timeout_millis=60_000, flight_recorder=RECORDER, record_bytes=CHUNK_BYTES)
    failed = fail()
    dropped = telemetry.ledger().exporters["otlp"].dropped["not_awaited"]
    assert 0 < dropped < 10
    assert telemetry.health().pending == LIMIT_RECORDS + 10 - dropped + 1
    release.set()
    await failed
    assert await asyncio.to_thread(telemetry.force_flush, PATIENCE_MILLIS)
    assert arrived(receiver) == [*(f"kept {number} {PADDING}" for number in range(10 - dropped)), "failed"]
    # What is lost leaves a gap, and the failure itself is not among it.
    numbers = {sequence(record) for record in receiver.log_records}
    assert set(range(LIMIT_RECORDS + 11)) - numbers == set(range(LIMIT_RECORDS, LIMIT_RECORDS + dropped))


# Audit records


def through_fapilog(name: str) -> None:
    fapilog.get_logger("doors").audit(name)


def through_security(name: str) -> None:
    fapilog.get_logger("doors").security(name)


def through_an_event(name: str) -> None:
    event = fapilog.LogEvent(message=name, category=fapilog.EventCategory.SECURITY)
    fapilog.get_logger("doors").emit(event)


def through_logging(name: str) -> None:
    logging.getLogger("doors").warning(name, extra={"fapilog.event.category": "security"})


def through_structlog(name: str) -> None:
    processors = [FapilogProcessor()]
    log = structlog.wrap_logger(None, processors=processors, wrapper_class=structlog.BoundLogger)
    log.info(name, **{"fapilog.event.category": "security"})


def through_loguru(name: str) -> None:
    loguru.logger.bind(**{"fapilog.event.category": "security"}).info(name)


def through_opentelemetry(name: str) -> None:
    severity, attributes = SeverityNumber.INFO, {"fapilog.event.category": "security"}
    get_logger("doors").emit(severity_number=severity, body=name, attributes=attributes)


DOORS = [
    through_fapilog,
    through_security,
    through_an_event,
    through_logging,
    through_structlog,
    through_loguru,
    through_opentelemetry,
]


@pytest.fixture
def loguru_bridge() -> Iterator[None]:
    """Records of loguru go through the pipeline."""
    loguru.logger.remove()
    remove = loguru_bridge_module.install()
    yield
    remove()


@pytest.mark.usefixtures("loguru_bridge")
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "wait"])
def test_audit_records_survive_a_flood_of_errors_through_every_door(
    full: Configure, receiver: OtlpReceiver, release: threading.Event, overflow: str
) -> None:
    telemetry = full(overflow, wait_timeout_millis=1, audit_reserve_bytes=64 * CHUNK_BYTES)
    for door in DOORS:
        door(door.__name__)
        for _ in range(20):
            fapilog.get_logger("flood").error(PADDING)
    release.set()
    assert telemetry.force_flush(PATIENCE_MILLIS)
    kept = [body for body in arrived(receiver) if str(body).startswith("through")]
    assert kept == [door.__name__ for door in DOORS]
    assert telemetry.ledger().balanced


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_an_audit_record_waits_when_the_reserve_is_full_and_only_once_in_vain(
    full: Configure, receiver: OtlpReceiver, release: threading.Event, overflow: str
) -> None:
    telemetry = full(
        overflow, wait_timeout_millis=300, audit_reserve_bytes=CHUNK_BYTES, limit_bytes=12 * CHUNK_BYTES
    )
    log = fapilog.get_logger("audited")
    taken, waited = 0, 0.0
    while waited < 0.3:
        began = time.monotonic()
        log.audit(PADDING)
        waited = time.monotonic() - began
        taken += 1
        assert taken < 100
    dropped = telemetry.ledger().exporters["otlp"].dropped
    assert dropped["wait_timeout"] == 1
    began = time.monotonic()
    for _ in range(20):
        log.audit("at once")
    assert time.monotonic() - began < 0.3
    lost = telemetry.ledger().exporters["otlp"].dropped["overflow_newest"] - dropped["overflow_newest"]
    assert lost == 20
    release.set()
    assert telemetry.force_flush(PATIENCE_MILLIS)
    log.audit("again")
    assert telemetry.force_flush(PATIENCE_MILLIS)
    assert arrived(receiver)[-1] == "again"
    assert arrived(receiver).count(PADDING) == taken - 1


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_callers_of_a_policy_that_drops_never_wait(
    configure: Configure, release: threading.Event, overflow: str
) -> None:
    small = {"overflow": overflow, "limit_bytes": 65_536, "chunk_bytes": 4_096, "record_bytes": 2_048}
    telemetry = configure(buffer=small | {"wait_timeout_millis": 60_000})
    log = fapilog.get_logger("orders")
    ended = threading.Event()

    def call() -> None:
        for _ in range(2_000):
            log.error(PADDING)
            log.info(PADDING)
        ended.set()

    thread = threading.Thread(target=call)
    thread.start()
    # One wait would take a minute.
    assert ended.wait(50)
    thread.join(10)
    ledger = telemetry.ledger()
    assert ledger.balanced
    assert ledger.exporters["otlp"].dropped["wait_timeout"] == 0
