"""The flight recorder's bounds, its ends, and who meets it: threads, tasks, `logging`, the whole process."""

import asyncio
import logging
import os
import threading

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import fapilog
from tests.unit.flights import Recording, terms
from tests.unit.processing import recorder_with

TEST_TIMEOUT = 30


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"max_trace_records": 2}, [3, 4]),
        ({"max_trace_records": 1}, [4]),
        ({"max_traces": 1}, [0, 1, 2, 3, 4]),
    ],
)
def test_the_oldest_records_of_a_trace_are_forgotten_first(limits, left):
    with Recording(limits) as recording, recording.span():
        for number in range(5):
            recording.logger().debug("kept", number=number)
        recording.logger().error("failed")
        kept = [record.attributes for record in recording.records[:-1]]
        assert [attributes["number"] for attributes in kept] == left
        lost = [attributes.get("fapilog.flight_recorder_evicted") for attributes in kept]
        assert lost == [5 - len(left) or None, *[None] * (len(left) - 1)]
        assert recording.stats.get("evicted", 0) == 5 - len(left)


def test_the_trace_that_was_silent_longest_is_forgotten_first():
    with Recording({"max_traces": 2}) as recording:
        log = recording.logger()
        spans = []
        for number in range(3):
            if spans:
                with trace.use_span(spans[0]):
                    log.debug("first", number=number)
            spans.append(recording.tracer.start_span(str(number)))
            with trace.use_span(spans[-1]):
                log.debug("begun", number=number)
        with trace.use_span(spans[0]):
            log.error("failed")
        bodies = [record.body for record in recording.records]
        assert bodies == ["begun", "first", "first", "failed"]
        assert recording.stats == {"records": 1, "traces": 2, "recorded": 5, "promoted": 3, "evicted": 1}


def test_what_is_kept_stays_within_its_memory():
    with Recording({"limit_bytes": 200_000}) as recording:
        for number in range(400):
            with trace.use_span(recording.tracer.start_span(str(number))):
                recording.logger().debug("x" * 900)
                recording.logger().debug("x" * 900)
        held = recording.provider.pipeline.exporter_stats()["memory"]["flight_recorder_bytes"]
        assert 100_000 < held <= 200_000
        assert recording.stats["evicted"] + recording.stats["records"] == 800


def test_a_shutdown_throws_away_what_is_kept():
    recording = Recording()
    with recording.span():
        recording.logger().debug("kept")
        recording.provider.shutdown()
        recording.logger().error("too late")
    assert recording.shown == []
    assert terms(recording.provider.ledger()) == (2, 1, 0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_forked_child_begins_without_what_the_parent_kept():
    with Recording() as recording, recording.span():
        recording.logger().debug("of the parent")
        child = os.fork()
        if child == 0:
            recording.logger().debug("of the child")
            os._exit(recording.stats == {"records": 1, "traces": 1, "recorded": 1})
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 1
        assert recording.stats["records"] == 1


def test_tasks_of_one_trace_share_what_is_kept():
    async def work(log, number):
        log.debug("kept", number=number)
        await asyncio.sleep(0)
        log.debug("kept", number=number)

    async def request(recording):
        with recording.span():
            await asyncio.gather(*(work(recording.logger(), number) for number in range(3)))
            recording.logger().error("failed")

    with Recording() as recording:
        asyncio.run(request(recording))
        assert len(recording.records) == 7
        assert recording.records[-1].body == "failed"


def test_threads_that_fail_at_once_lose_nothing_and_double_nothing():
    with Recording() as recording:
        go = threading.Barrier(4)

        def requests(thread):
            go.wait(TEST_TIMEOUT)
            log = recording.logger()
            for number in range(50):
                with recording.span():
                    for step in range(3):
                        log.debug("kept", thread=thread, number=number, step=step)
                    if number % 2:
                        log.error("failed", thread=thread, number=number)

        threads = [threading.Thread(target=requests, args=(each,)) for each in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(TEST_TIMEOUT)
        found = {}
        for record in recording.records:
            attributes = record.attributes
            found.setdefault((attributes["thread"], attributes["number"]), []).append(attributes.get("step"))
        assert found == {(each, number): [0, 1, 2, None] for each in range(4) for number in range(1, 50, 2)}
        assert recording.provider.ledger().balanced


def test_records_of_logging_are_kept_and_no_other_handler_sees_them(configure):
    seen = []

    class Seeing(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    captured = []
    root, handler = logging.getLogger(), Seeing()
    root.addHandler(handler)
    try:
        telemetry = configure("shop", flight_recorder={"enabled": True}, self_observability=False)
        telemetry.logger_provider.pipeline.add_tap(lambda record, scope: captured.append(scope))
        log = logging.getLogger("shop.stdlib")
        with trace.get_tracer("shop").start_as_current_span("GET /"):
            assert log.isEnabledFor(logging.DEBUG)
            log.debug("kept")
            log.error("failed")
        assert captured == ["shop.stdlib", "shop.stdlib"]
        assert seen == ["failed"]
        telemetry.shutdown()
        assert not log.isEnabledFor(logging.DEBUG)
    finally:
        root.removeHandler(handler)


def test_configure_otel_lets_the_spans_of_the_process_tell(configure):
    telemetry = configure("shop", flight_recorder={"enabled": True})
    captured = []
    telemetry.logger_provider.pipeline.add_tap(lambda record, scope: captured.append(scope))
    log = fapilog.get_logger("shop")
    with trace.get_tracer("shop").start_as_current_span("GET /") as span:
        log.debug("kept")
        span.set_status(StatusCode.ERROR)
    with trace.get_tracer("shop").start_as_current_span("GET /"):
        log.debug("kept")
        assert fapilog.export_recorded() == 1
        assert telemetry.export_recorded() == 0
    assert captured == ["shop", "shop"]


def test_without_the_setting_nothing_is_kept():
    with recorder_with(level="info") as recorder:
        recorder.logger().debug("filtered")
        assert recorder.provider.export_recorded(7) == 0
        assert "flight_recorder" not in recorder.provider.pipeline.exporter_stats()
        recorder.provider.pipeline.trace_began(7)
        recorder.provider.pipeline.trace_ended(7, "failed")
        assert terms(recorder.provider.ledger()) == (1, 1, 0, 0)


def test_a_reason_that_nobody_knows_is_refused():
    with Recording() as recording, pytest.raises(ValueError, match="reason"):
        recording.provider.pipeline.trace_ended(7, "bored")
