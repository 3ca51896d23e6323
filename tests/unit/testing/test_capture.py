"""`capture_logs`, `FakeClock` and `SequentialIds`: what a test of an application sees."""

import doctest
import importlib
import logging
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import fapilog
from fapilog import in_force
from fapilog.logger import default_handle
from fapilog.settings import Settings
from fapilog.testing import FakeClock, ReceivedLogRecord, SequentialIds, capture_logs

NOW = 1_700_000_000_000_000_000


@pytest.fixture
def configured():
    settings = Settings.load(environ={}, exporters=("none",), level="info")
    with fapilog.configure_otel(settings=settings) as running:
        yield running


@pytest.mark.parametrize("name", ["capture", "clock", "ids", "decoding", "receiver"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.testing.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_a_whole_record_compares_as_one_value():
    ids, log = SequentialIds(first=10), fapilog.get_logger("orders")
    tracer = TracerProvider(id_generator=ids, shutdown_on_exit=False).get_tracer("t")
    with capture_logs() as logs, FakeClock(NOW), tracer.start_as_current_span("checkout"):
        log.error("payment failed", order_id=7, password="hunter2", event_name="payment.failed")
    attributes = {"order_id": 7, "password": "[REDACTED:secret]"}
    code = {name: value for name, value in logs[0].attributes.items() if name.startswith("code.")}
    assert logs == [
        ReceivedLogRecord(
            time_unix_nano=NOW,
            observed_time_unix_nano=NOW,
            severity_number=17,
            severity_text="ERROR",
            body="payment failed",
            attributes=attributes | code,
            flags=1,
            trace_id=f"{10:032x}",
            span_id=f"{10:016x}",
            event_name="payment.failed",
            scope_name="orders",
        )
    ]


def test_nothing_configured_is_left_as_it_was():
    assert in_force.current() is None
    before, handlers = default_handle.pipeline, list(logging.getLogger().handlers)
    with capture_logs() as logs:
        fapilog.get_logger("a").trace("kept")
    fapilog_after, handlers_after = default_handle.pipeline, list(logging.getLogger().handlers)
    assert (logs.bodies, fapilog_after, handlers_after) == (["kept"], before, handlers)
    assert in_force.current() is None


def test_records_of_logging_are_captured_too():
    with capture_logs() as logs:
        logging.getLogger("shop.stock").warning("low: %s", "tea", extra={"left": 3})
    record = logs.find(body="low: tea", scope_name="shop.stock")
    assert (record.severity_number, record.attributes["left"]) == (13, 3)


def test_nested_blocks_each_capture_what_is_logged_inside_them():
    log = fapilog.get_logger("a")
    with capture_logs() as outer:
        log.info("one")
        with capture_logs() as inner:
            log.info("two")
        log.info("three")
    assert (outer.bodies, inner.bodies) == (["one", "two", "three"], ["two"])


def test_blocks_that_overlap_in_two_threads_both_capture():
    log, entered, leave = fapilog.get_logger("a"), threading.Event(), threading.Event()
    other = []

    def capture() -> None:
        with capture_logs() as logs:
            other.append(logs)
            entered.set()
            leave.wait(10)

    with capture_logs() as logs:
        thread = threading.Thread(target=capture)
        thread.start()
        assert entered.wait(10)
        log.info("both")
    log.info("only the thread's")
    leave.set()
    thread.join(10)
    assert (logs.bodies, other[0].bodies) == (["both"], ["both", "only the thread's"])


def test_with_telemetry_its_levels_apply_and_the_sequence_number_is_left_out(configured):
    log = fapilog.get_logger("a")
    with capture_logs() as logs:
        log.debug("filtered")
        log.info("kept", a=1)
    log.info("after the block")
    assert [(record.body, record.attributes) for record in logs] == [("kept", {"a": 1})]
    assert configured.ledger().accepted == 2


def test_telemetry_configured_inside_a_block_outlives_it():
    with capture_logs(), fapilog.configure_otel(exporters=["none"]) as inner:
        mine = inner.logger_provider.pipeline
        assert default_handle.pipeline is mine
    assert default_handle.pipeline is mine
    default_handle.attach(None)


def test_what_is_configured_inside_a_block_is_captured_from_then_on_each_record_once():
    log = fapilog.get_logger("a")
    with capture_logs() as logs:
        log.info("before")
        with fapilog.configure_otel(exporters=["none"], level="info"):
            log.debug("filtered")
            log.info("after", password="hunter2")
            logging.getLogger("legacy").warning("once")
        with fapilog.configure_otel(exporters=["none"], redaction="scan"):
            log.info("card 4111 1111 1111 1111")
    assert logs.bodies == ["before", "after", "once", "card [REDACTED:pan]"]


def test_a_provider_of_its_own_is_captured_in_place_of_the_process():
    log = fapilog.get_logger("a")
    with (
        fapilog.LoggerProvider(settings=Settings.load(environ={}), exporters=["none"]) as provider,
        capture_logs(provider) as logs,
    ):
        provider.logger("own").info("captured")
        log.info("not this one")
    assert logs.bodies == ["captured"]


def test_every_record_of_many_threads_is_captured_once():
    log = fapilog.get_logger("a")
    with capture_logs() as logs:
        threads = [
            threading.Thread(target=lambda first=first: [log.info(f"{first + n}") for n in range(500)])
            for first in range(0, 2_000, 500)
        ]
        for thread in threads:
            thread.start()
        logs.wait_for(2_000)
        for thread in threads:
            thread.join(10)
    assert sorted(map(int, logs.bodies)) == list(range(2_000))


def test_a_search_names_what_there_is_instead():
    log = fapilog.get_logger("a")
    with capture_logs() as logs:
        log.info("started", port=80, scheme="http")
        log.info("started", port=81)
    assert logs.find(attributes={"port": 81}) == logs[1]
    assert logs.find_all(body="started") == logs[:2]
    with pytest.raises(LookupError, match=r"(?s)no record with .*'stopped'.*INFO 'started' .*'port': 80"):
        logs.find(body="stopped")
    with pytest.raises(TypeError, match="a record has no field level; it has attributes, body"):
        logs.find(level="info")


def test_waiting_for_records_that_never_come_says_how_many_did():
    with capture_logs() as logs, pytest.raises(TimeoutError, match=r"0 of 1 records within 0.01 s"):
        logs.wait_for(1, timeout_seconds=0.01)


def test_cleared_records_are_forgotten_and_later_ones_are_read():
    log = fapilog.get_logger("a")
    with capture_logs() as logs:
        log.info("one")
        assert logs.bodies == ["one"]
        logs.clear()
        log.info("two")
    assert (len(logs), logs.bodies, "two" in repr(logs)) == (1, ["two"], True)


def test_the_clock_moves_only_when_told_and_is_given_back():
    log = fapilog.get_logger("a")
    with capture_logs() as logs:
        with FakeClock(NOW) as clock:
            log.info("1")
            clock.advance_millis(1.5)
            log.info("2")
            clock.set(5)
            log.info("3")
        log.info("4")
    times = [record.time_unix_nano for record in logs]
    assert (times[:3], times[3] > NOW, clock.unix_nanos) == ([NOW, NOW + 1_500_000, 5], True, 5)


def test_a_clock_of_one_provider_leaves_others_alone():
    provider = fapilog.LoggerProvider(exporters=["none"])
    with provider, capture_logs() as logs, FakeClock(NOW, pipeline=provider.pipeline):
        fapilog.get_logger("a").info("real time")
    assert logs[0].time_unix_nano > NOW


def test_a_clock_without_a_pipeline_says_what_to_do():
    default_handle.attach(None)
    with pytest.raises(RuntimeError, match=r"enter capture_logs\(\) or call configure_otel\(\) first"):
        FakeClock(NOW).__enter__()


@pytest.mark.parametrize("unix_nanos", [0, -1, 2**64])
def test_what_is_no_time_is_refused(unix_nanos):
    with pytest.raises(ValueError, match="is no time"):
        FakeClock(unix_nanos)


def test_sequential_ids_count_up_and_are_never_zero():
    ids = SequentialIds(first=2**64 - 1)
    assert [ids.generate_span_id() for _ in range(2)] == [2**64 - 1, 1]
    assert [ids.generate_trace_id() for _ in range(2)] == [2**64 - 1, 2**64]
    with pytest.raises(ValueError, match="ids start at 1"):
        SequentialIds(first=0)


def test_a_span_that_is_not_recording_still_gives_its_ids():
    context = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0))
    with capture_logs() as logs, trace.use_span(trace.NonRecordingSpan(context)):
        fapilog.get_logger("a").info("x")
    assert (logs[0].trace_id, logs[0].span_id, logs[0].flags) == (f"{1:032x}", f"{2:016x}", 0)
