"""A full buffer: what each policy keeps, and that every loss is counted and visible as a gap."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import fapilog
from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.integration.harness import (
    LIMIT_RECORDS,
    ONE_RECORD_PER_BLOCK,
    bodies,
    counts,
    in_order,
    loss_reports,
    sequence,
)

Configure = Callable[..., fapilog.Telemetry]
ALL_IN_TIME_MILLIS = 10_000
# Room for 20 open chunks: with one-record blocks that stay uncompressed, memory is the bound.
CHUNK_BYTES = 2_048
SMALL = {"limit_bytes": 20 * CHUNK_BYTES, "chunk_bytes": CHUNK_BYTES, "record_bytes": 1_024}
PADDING = "x" * 700


def missing(records: list[ReceivedLogRecord], offered: int) -> set[int]:
    """The sequence numbers below `offered` that did not arrive."""
    return set(range(offered)) - {sequence(record) for record in records}


def drain(telemetry: fapilog.Telemetry, release: threading.Event) -> None:
    release.set()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)


def drain_with_report(telemetry: fapilog.Telemetry, release: threading.Event, receiver: OtlpReceiver) -> None:
    """Drains a buffer that lost records; when this returns, the record that tells of it is delivered too."""
    drain(telemetry, release)
    deadline = time.monotonic() + ALL_IN_TIME_MILLIS / 1_000
    # A sender logs the report after the last block has settled, so that the first flush may be too early.
    while not loss_reports(receiver) and time.monotonic() < deadline:
        receiver.wait_for_log_records(receiver.log_record_count)
        assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    # The receiver may have it before the ledger knows.
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert len(loss_reports(receiver)) == 1


# Dropping


def test_drop_oldest_keeps_the_newest(full: Configure, receiver: OtlpReceiver, release: Any) -> None:
    telemetry = full("drop_oldest")
    for number in range(10, 50):
        fapilog.get_logger("orders").error(str(number))
    drain_with_report(telemetry, release, receiver)
    # The first is in flight and cannot go; one more may be in the sealer's hands when its turn comes.
    assert bodies(receiver)[0] == "0"
    assert bodies(receiver)[2:] == [str(number) for number in range(42, 50)]
    assert counts(telemetry.ledger()) == {
        "offered": 51,
        "accepted": 51,
        "delivered": LIMIT_RECORDS + 1,
        "dropped.overflow_oldest": 40,
    }
    assert len(missing(receiver.log_records, 51)) == 40


def test_drop_newest_keeps_the_oldest(full: Configure, receiver: OtlpReceiver, release: Any) -> None:
    telemetry = full("drop_newest")
    log = fapilog.get_logger("orders")
    for number in range(10, 50):
        log.warning(str(number))
    drain_with_report(telemetry, release, receiver)
    log.info("after")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver) == [*[str(number) for number in range(10)], "after"]
    # Whether the floor stood already when the first warning came is the sealer's timing; the sum is not.
    terms = counts(telemetry.ledger())
    newest = terms.pop("dropped.overflow_newest", 0)
    assert terms == {
        "offered": 52,
        "refused.shed": 40 - newest,
        "accepted": LIMIT_RECORDS + 2 + newest,
        "delivered": LIMIT_RECORDS + 2,
    }
    assert missing(receiver.log_records, 52) == set(range(10, 50))


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_when_pressure_ends_one_record_tells_what_was_lost(
    full: Configure, receiver: OtlpReceiver, release: threading.Event, policy: str
) -> None:
    telemetry = full(policy)
    log = fapilog.get_logger("orders")
    for _ in range(30):
        log.error("error")
    for _ in range(5):
        log.info("info")
    drain_with_report(telemetry, release, receiver)
    [report] = loss_reports(receiver)
    ledger = telemetry.ledger()
    dropped = ledger.exporters["otlp"].dropped
    lost = {"shed": ledger.refused["shed"]} | {
        reason: dropped[reason] for reason in ("overflow_oldest", "overflow_newest")
    }
    assert (report.severity_text, report.body) == ("WARN", "records were lost while the buffer was full")
    assert {name: count for name, count in report.attributes.items() if "lost" in name} == {
        f"fapilog.lost.{reason}": count for reason, count in lost.items() if count
    }
    assert (lost["shed"], sum(lost.values())) == (5, 35)
    assert ledger.balanced
    log.info("after")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert len(loss_reports(receiver)) == 1


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_records_that_shedding_spares_outlive_those_that_it_does_not(
    configure: Configure, receiver: OtlpReceiver, release: threading.Event, policy: str
) -> None:
    limits = ONE_RECORD_PER_BLOCK | {"max_queue_records": LIMIT_RECORDS, "overflow": policy}
    telemetry = configure(otlp={"max_in_flight": 1}, buffer=limits)
    log = fapilog.get_logger("orders")
    log.info("first")
    telemetry.force_flush(1)
    receiver.wait_for_requests(1)
    protected = ["audit", "security", "error", "critical"]
    for number in range(20):
        log.info(f"before {number}")
    for method in protected:
        getattr(log, method)(method)
    for number in range(20):
        log.info(f"after {number}")
    drain_with_report(telemetry, release, receiver)
    assert [body for body in bodies(receiver) if body in protected] == protected
    ledger = counts(telemetry.ledger())
    assert ledger["delivered"] == LIMIT_RECORDS + 1
    assert len(missing(receiver.log_records, 46)) == 35


def test_every_policy_counts_every_loss_and_numbers_show_each_as_a_gap(
    configure: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = configure(otlp={"compression": "none"}, level="debug", buffer=SMALL)
    log = fapilog.get_logger("orders")
    methods = [log.debug, log.info, log.warning, log.error]
    for number in range(2_000):
        methods[number % 4](PADDING)
    drain_with_report(telemetry, release, receiver)
    ledger = telemetry.ledger()
    lost = ledger.refused["shed"] + sum(ledger.exporters["otlp"].dropped.values())
    assert ledger.balanced
    assert lost > 1_000
    assert len(receiver.log_records) == ledger.exporters["otlp"].delivered == 2_001 - lost
    assert len(missing(receiver.log_records, 2_001)) == lost


def test_memory_stays_below_its_limit(
    configure: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = configure(otlp={"compression": "none"}, buffer=SMALL)
    log = fapilog.get_logger("orders")
    most = 0
    for _ in range(500):
        log.error(PADDING)
        most = max(most, telemetry.health().buffer_bytes)
    # Without compression a block adds the resource and its scope: here up to a fifth of a chunk.
    assert 0.8 * SMALL["limit_bytes"] < most <= 1.3 * SMALL["limit_bytes"]


# Shedding


def fill_until(telemetry: fapilog.Telemetry, floor: int) -> None:
    """Fills the buffer with errors, each sealed before the next, until records below `floor` are shed."""
    log = fapilog.get_logger("filler")
    while telemetry.health().shedding_below < floor:
        log.error(PADDING)
        telemetry.force_flush(1)


def test_shedding_takes_debug_first_then_info_then_warnings_and_never_what_is_protected(
    configure: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    limits = SMALL | {"limit_bytes": 100 * CHUNK_BYTES}
    telemetry = configure(otlp={"compression": "none"}, level="debug", buffer=limits)
    log = fapilog.get_logger("orders")
    spared = [log.error, log.critical, log.audit, log.security]
    lowly = [log.debug, log.info, log.warning]
    for percent, floor, shed in ((75, 9, lowly[:1]), (90, 13, lowly[:2]), (95, 17, lowly)):
        fill_until(telemetry, floor)
        health = telemetry.health()
        assert health.shedding_below == floor
        assert percent <= 100 * health.buffer_bytes / health.buffer_limit_bytes < percent + 2
        assert [log.is_enabled_for(severity) for severity in (5, 9, 13, 17)] == [
            severity >= floor for severity in (5, 9, 13, 17)
        ]
        before = telemetry.ledger()
        for method in shed:
            method("shed")
        for method in spared:
            method("spared")
        after = telemetry.ledger()
        assert after.refused["shed"] - before.refused["shed"] == len(shed)
        assert after.accepted - before.accepted == len(spared)
    drain_with_report(telemetry, release, receiver)
    arrived = bodies(receiver)
    assert (arrived.count("spared"), arrived.count("shed")) == (12, 0)
    offered = telemetry.ledger().offered
    assert len(missing(receiver.log_records, offered)) == 6 == offered - 1 - len(arrived)


@pytest.mark.parametrize("door", ["keyword", "event"])
def test_shedding_spares_records_of_the_category_security(
    configure: Configure, release: threading.Event, door: str
) -> None:
    telemetry = configure(otlp={"compression": "none"}, buffer=SMALL | {"limit_bytes": 100 * CHUNK_BYTES})
    fill_until(telemetry, 13)
    log = fapilog.get_logger("orders")
    category = fapilog.EventCategory("security")
    if door == "keyword":
        log.info("login failed", category=category)
    else:
        log.emit(fapilog.LogEvent(message="login failed", category=category))
    assert telemetry.ledger().refused["shed"] == 0


def test_the_floor_falls_when_the_buffer_drains(
    configure: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = configure(otlp={"compression": "none"}, buffer=SMALL)
    log = fapilog.get_logger("orders")
    fill_until(telemetry, 13)
    drain(telemetry, release)
    assert telemetry.health().shedding_below == 0
    before = counts(telemetry.ledger())
    log.info("after")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver)[-1] == "after"
    assert counts(telemetry.ledger()) == before | {
        "offered": before["offered"] + 1,
        "accepted": before["accepted"] + 1,
        "delivered": before["delivered"] + 1,
    }


def test_small_blocks_do_not_shed_while_memory_is_nearly_empty(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(buffer={"max_block_records": 1})
    log = fapilog.get_logger("orders")
    for _ in range(2_000):
        log.info("small")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert counts(telemetry.ledger()) == {"offered": 2_000, "accepted": 2_000, "delivered": 2_000}


# Limits by number


def test_a_block_holds_no_more_records_than_its_limit(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure(otlp={"max_in_flight": 1}, buffer=ONE_RECORD_PER_BLOCK | {"max_block_records": 7})
    log = fapilog.get_logger("orders")
    for number in range(70):
        log.info(str(number))
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    sizes = [len(request.message.resource_logs[0].scope_logs[0].log_records) for request in receiver.requests]
    assert sum(sizes) == 70
    assert max(sizes) == 7
    assert [record.body for record in receiver.log_records] == [str(number) for number in range(70)]


def test_the_queue_holds_no_more_records_than_its_limit(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full("drop_oldest")
    for number in range(10, 30):
        fapilog.get_logger("orders").error(str(number))
        assert telemetry.health().pending == LIMIT_RECORDS
    drain(telemetry, release)


# Waiting


def test_wait_blocks_a_call_until_there_is_room(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full("wait", wait_timeout_millis=30_000)
    returned = threading.Event()

    def call() -> None:
        fapilog.get_logger("orders").info("patient")
        returned.set()

    thread = threading.Thread(target=call)
    thread.start()
    assert not returned.wait(0.2)
    # Who waits is pending already.
    assert counts(telemetry.ledger()) == {"offered": 11, "accepted": 11, "pending": 11}
    release.set()
    assert returned.wait(10)
    thread.join(10)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver) == [*[str(number) for number in range(10)], "patient"]
    assert counts(telemetry.ledger()) == {"offered": 11, "accepted": 11, "delivered": 11}


def test_wait_gives_a_call_up_at_its_deadline_and_lets_other_threads_run(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full("wait", wait_timeout_millis=200)
    began = time.monotonic()
    fapilog.get_logger("orders").error("impatient")
    waited = time.monotonic() - began
    assert 0.2 <= waited < 2
    assert counts(telemetry.ledger()) == {
        "offered": 11,
        "accepted": 11,
        "dropped.wait_timeout": 1,
        "pending": 10,
    }
    drain(telemetry, release)
    assert bodies(receiver) == [str(number) for number in range(10)]


def test_wait_sheds_nothing(full: Configure, release: threading.Event) -> None:
    telemetry = full("wait", wait_timeout_millis=1)
    fapilog.get_logger("orders").info("lowly")
    assert telemetry.health().shedding_below == 0
    assert counts(telemetry.ledger())["dropped.wait_timeout"] == 1
    drain(telemetry, release)


async def test_an_awaited_call_yields_to_the_loop_until_there_is_room(
    full: Configure, receiver: OtlpReceiver, release: threading.Event
) -> None:
    telemetry = full("wait", wait_timeout_millis=30_000)
    log = fapilog.get_logger("orders")
    turns = 0

    async def emit(name: str) -> None:
        await log.info(name)

    waiting = [asyncio.create_task(emit(name)) for name in ("a", "b", "c")]
    while turns < 50:
        turns += 1
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    release.set()
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert await asyncio.to_thread(telemetry.force_flush, ALL_IN_TIME_MILLIS)
    assert sorted(bodies(receiver)[10:]) == ["a", "b", "c"]
    assert counts(telemetry.ledger()) == {"offered": 13, "accepted": 13, "delivered": 13}


async def test_an_awaited_call_is_given_up_at_its_deadline(full: Configure, release: Any) -> None:
    telemetry = full("wait", wait_timeout_millis=50)
    await asyncio.wait_for(fapilog.get_logger("orders").info("impatient"), 10)
    assert counts(telemetry.ledger())["dropped.wait_timeout"] == 1
    release.set()


def test_order_is_kept_under_wait(configure: Configure, receiver: OtlpReceiver) -> None:
    limits = ONE_RECORD_PER_BLOCK | {"max_queue_records": 3, "overflow": "wait"}
    telemetry = configure(otlp={"max_in_flight": 1}, buffer=limits)
    log = fapilog.get_logger("orders")
    for number in range(300):
        log.info(str(number))
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert [record.body for record in in_order(receiver.log_records)] == [str(n) for n in range(300)]
    assert counts(telemetry.ledger()) == {"offered": 300, "accepted": 300, "delivered": 300}
