"""Processors and delivery: what dedupe holds back arrives by itself, in the right process, and is counted."""

import threading
from collections.abc import Callable

import fapilog
from fapilog.testing import Hold, OtlpReceiver
from tests.integration.harness import ONE_RECORD_PER_BLOCK, counts, in_order, run

Configure = Callable[..., fapilog.Telemetry]
COUNT = "fapilog.dedupe.count"


def test_a_window_ends_without_another_call(configure: Configure, receiver: OtlpReceiver):
    telemetry = configure(dedupe={"window_millis": 50}, buffer={"schedule_delay_millis": 10})
    log = fapilog.get_logger("orders")
    for _ in range(5):
        log.warning("disk full")
    records = receiver.wait_for_log_records(2)
    assert [record.attributes.get(COUNT) for record in in_order(records)] == [None, 4]
    telemetry.force_flush(5_000)
    assert counts(telemetry.ledger()) == {
        "offered": 5,
        "refused.deduplicated": 3,
        "accepted": 2,
        "delivered": 2,
    }


def test_repeats_of_many_threads_are_all_counted(configure: Configure, receiver: OtlpReceiver):
    telemetry = configure(dedupe={"window_millis": 5}, buffer={"schedule_delay_millis": 5})

    def work() -> None:
        log = fapilog.get_logger("orders")
        for number in range(2_000):
            log.info("again", number=number % 3)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.force_flush(10_000)
    assert sum(record.attributes.get(COUNT, 1) for record in receiver.log_records) == 8_000
    assert telemetry.ledger().offered == 8_000


def test_what_finds_no_room_under_wait_goes_on_when_there_is_room(
    configure: Configure, receiver: OtlpReceiver
):
    release = threading.Event()
    receiver.answer_always_with(Hold(release))
    telemetry = configure(
        dedupe={"window_millis": 3_600_000},
        buffer=ONE_RECORD_PER_BLOCK
        | {"limit_bytes": 4 * 2_048, "overflow": "wait", "wait_timeout_millis": 0},
    )
    log = fapilog.get_logger("orders")
    log.info("again")
    log.info("again")
    for number in range(20):
        log.info("fill", number=number)
    assert not telemetry.force_flush(100)
    release.set()
    assert telemetry.force_flush(10_000)
    assert [record.attributes[COUNT] for record in receiver.log_records if COUNT in record.attributes] == [1]


def test_a_forked_child_starts_with_empty_windows_and_full_buckets(receiver: OtlpReceiver):
    assert run("fork_processors.py", receiver.logs_endpoint).returncode == 0
    found = sorted(record.attributes.get(COUNT, 0) for record in receiver.log_records)
    assert found == [0, 0, 1, 2]
