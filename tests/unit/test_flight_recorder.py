"""The flight recorder keeps records below the level per trace, and exports them when the trace fails."""

import asyncio
import logging
import threading

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

import fapilog
from fapilog import FlightRecorderSpanProcessor
from fapilog.ledger import Ledger
from tests.unit.processing import Processor, recorder_with
from tests.unit.recording import Recorder

TEST_TIMEOUT = 30


class Recording(Recorder):
    """A recorder whose provider has a flight recorder, and spans that tell it how requests end."""

    def __init__(self, recorder=None, sampler=None, **settings):
        chosen = {"level": "info", "flight_recorder": {"enabled": True, **(recorder or {})}} | settings
        super().__init__(**chosen)
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(FlightRecorderSpanProcessor(self.provider))
        self.tracer = self.tracers.get_tracer("shop")

    def span(self, name="GET /", **options):
        return self.tracer.start_as_current_span(name, **options)

    @property
    def shown(self):
        """Body and reason of each exported record."""
        return [(record.body, record.attributes.get("fapilog.flight_recorder")) for record in self.records]

    @property
    def stats(self):
        stats = self.provider.pipeline.exporter_stats()["flight_recorder"]
        return {name: count for name, count in stats.items() if count}


def test_records_below_the_level_cost_memory_only_while_the_trace_goes_well():
    with Recording() as recording:
        log = recording.logger()
        with recording.span():
            log.debug("one")
            log.info("two")
            log.debug("three")
            assert recording.stats == {"records": 2, "traces": 1, "recorded": 2}
        assert recording.shown == [("two", None)]
        assert recording.stats == {"recorded": 2, "discarded": 2}


def test_an_error_lets_them_out_in_order_and_before_itself():
    with Recording() as recording:
        log = recording.logger()
        with recording.span():
            log.debug("one")
            log.info("two")
            log.debug("three")
            log.error("four")
            log.debug("five")
        log.debug("outside")
        assert recording.shown == [
            ("two", None),
            ("one", "error"),
            ("three", "error"),
            ("four", None),
            ("five", "error"),
        ]


def test_the_sequence_proves_where_they_stood():
    with Recording(sequence=True) as recording:
        log = recording.logger()
        with recording.span():
            for number in range(3):
                log.info("exported", number=number)
                log.debug("kept", number=number)
            log.error("failed")
        order = sorted(recording.records, key=_place)
        assert [(record.body, record.attributes.get("number")) for record in order] == [
            *(((body, number)) for number in range(3) for body in ("exported", "kept")),
            ("failed", None),
        ]
        assert sorted(record.attributes["fapilog.sequence"] for record in recording.records) == list(range(7))


def _place(record):
    """Before the record whose number is given, and after the one before it."""
    sequence = record.attributes["fapilog.sequence"]
    before = record.attributes.get("fapilog.before_sequence")
    return (sequence, 1, 0) if before is None else (before, 0, sequence)


def test_a_span_that_ends_with_an_error_lets_them_out():
    with Recording() as recording:
        log = recording.logger()
        with pytest.raises(ZeroDivisionError):
            _failing(recording, log)
        with recording.span() as span:
            log.debug("kept, too")
            span.set_status(StatusCode.ERROR)
        assert recording.shown == [("kept", "failed"), ("kept, too", "failed")]


def _failing(recording, log):
    with recording.span():
        log.debug("kept")
        raise ZeroDivisionError


def test_an_exception_that_a_root_span_recorded_is_a_failure():
    with Recording() as recording:
        with recording.span() as span:
            recording.logger().debug("kept")
            span.record_exception(ValueError("late"))
        assert recording.shown == [("kept", "failed")]


def test_the_failure_of_an_inner_span_alone_is_none():
    with Recording() as recording:
        with recording.span(), recording.span("inner") as inner:
            recording.logger().debug("kept")
            inner.set_status(StatusCode.ERROR)
        assert recording.shown == []


def test_a_slow_request_lets_them_out():
    with Recording({"slow_millis": 1_000}) as recording:
        log = recording.logger()
        for name, millis in (("quick", 999), ("slow", 1_000)):
            span = recording.tracer.start_span(name, start_time=0)
            with trace.use_span(span):
                log.debug(name)
            span.end(millis * 1_000_000)
        assert recording.shown == [("slow", "slow")]


def test_somebody_may_ask_for_them():
    with Recording() as recording:
        log = recording.logger()
        with recording.span():
            log.debug("one")
            assert recording.provider.export_recorded() == 1
            log.debug("two")
        with recording.span() as span:
            log.debug("three")
            identifier = span.get_span_context().trace_id
        assert recording.provider.export_recorded(identifier) == 0
        assert recording.shown == [("one", "asked"), ("two", "asked")]


def test_the_ledger_adds_up_whatever_becomes_of_them():
    with Recording() as recording:
        log = recording.logger()
        with recording.span():
            log.debug("kept")
            log.trace("below the recorder's level")
            kept = recording.provider.ledger()
            log.error("failed")
        log.debug("of no trace")
        after = recording.provider.ledger()
    assert _terms(kept) == (2, 2, 1, 0)
    assert _terms(after) == (4, 2, 0, 2)


def _terms(ledger: Ledger):
    assert ledger.balanced
    return ledger.offered, ledger.filtered, ledger.recorded, ledger.accepted


def test_records_of_no_trace_are_filtered():
    with Recording() as recording:
        log = recording.logger()
        log.debug("one")
        log.error("two")
        assert recording.shown == [("two", None)]
        assert recording.stats == {}


def test_a_trace_outlives_its_first_root_span_while_another_one_is_under_way():
    with Recording() as recording:
        log = recording.logger()
        remote = trace.SpanContext(7, 9, is_remote=True, trace_flags=trace.TraceFlags(1))
        parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
        with recording.span("outer", context=parent):
            log.debug("one")
            with recording.span("inner", context=parent):
                log.debug("two")
            log.error("three")
        assert recording.shown == [("one", "error"), ("two", "error"), ("three", None)]


def test_an_unsampled_trace_is_recorded_although_nobody_tells_its_end():
    with Recording(sampler=ALWAYS_OFF) as recording:
        with recording.span():
            recording.logger().debug("kept")
            recording.logger().error("failed")
        assert recording.shown == [("kept", "error"), ("failed", None)]


def test_the_gate_is_open_where_a_record_would_be_kept():
    with Recording() as recording:
        log = recording.logger()
        api = recording.provider.get_logger("api")
        assert not log.is_enabled_for(5)
        with recording.span():
            assert log.is_enabled_for(5)
            assert not log.is_enabled_for(4)
            assert api.enabled(severity_number=SeverityNumber.DEBUG)


def test_levels_of_single_scopes_say_what_is_kept():
    with Recording({"levels": {"sql": "warn"}}, level="error") as recording, recording.span():
        recording.logger("sql.engine").info("left out")
        recording.logger("sql.engine").warning("kept")
        recording.logger("shop").debug("kept, too")
        recording.logger("shop").error("failed")
        assert recording.shown == [("kept", "error"), ("kept, too", "error"), ("failed", None)]


def test_a_logger_that_is_off_stays_off():
    with Recording(rules={"noisy": "off"}) as recording, recording.span():
        recording.logger("noisy").debug("nothing")
        recording.logger("noisy").error("nothing")
        recording.logger().error("failed")
        assert recording.shown == [("failed", None)]


def test_rules_by_sampled_flag_count_for_kept_records_too():
    with Recording(sampler=ALWAYS_OFF, rules={"shop": "trace_based"}) as recording, recording.span():
        recording.logger().debug("nothing")
        recording.logger("other").debug("kept")
        recording.logger("other").error("failed")
        assert recording.shown == [("kept", "error"), ("failed", None)]


def test_levels_that_change_move_what_is_kept():
    with Recording() as recording, recording.span():
        log = recording.logger()
        recording.provider.set_level("warning")
        log.info("kept")
        recording.provider.set_level("debug")
        log.debug("exported")
        log.error("failed")
        assert recording.shown == [("exported", None), ("kept", "error"), ("failed", None)]


def test_secrets_are_never_kept():
    with Recording() as recording, recording.span():
        recording.logger().debug("kept", password="hunter2", url="https://a:hunter2@b/")
        recording.logger().error("failed")
        assert recording.records[0].attributes == {
            "password": "[REDACTED:secret]",
            "url": "https://REDACTED:REDACTED@b/",
            "fapilog.flight_recorder": "error",
        }


def test_records_go_on_with_everything_that_was_true_when_they_were_kept():
    with Recording() as recording:
        log = recording.logger(bound={"tenant": "acme"})
        with recording.span() as span, fapilog.bind_context(order=7):
            recording.provider.pipeline.fix_clock(1_000)
            log.debug("kept %s", "here")
            context = span.get_span_context()
            recording.provider.pipeline.fix_clock(2_000)
            recording.provider.export_recorded()
        (record,) = recording.records
        assert (record.time_unix_nano, record.body, record.severity_text) == (1_000, "kept here", "DEBUG")
        assert (record.trace_id, record.span_id) == (
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
        )
        assert record.attributes == {"tenant": "acme", "order": 7, "fapilog.flight_recorder": "asked"}


def test_processors_see_a_kept_record_when_it_is_exported():
    processor = Processor(lambda record: record.log_record.attributes.__setitem__("seen", True))
    with Recording() as recording:
        recording.provider.add_log_record_processor(processor)
        with recording.span():
            recording.logger().debug("kept")
            assert processor.seen == []
            recording.logger().error("failed")
        with recording.span():
            recording.logger().debug("thrown away")
        assert [record.attributes.get("seen") for record in recording.records] == [True, True]
        assert len(processor.seen) == 2


def test_kept_records_use_up_no_rate_and_fall_in_no_sample():
    limits = {"sampling": {"ratio": 0.0}, "rate_limit": {"records_per_second": 1e-6, "burst": 1}}
    with Recording(**limits) as recording, recording.span():
        for _ in range(3):
            recording.logger().debug("same")
        recording.logger().error("failed")
        assert recording.shown == [*[("same", "error")] * 3, ("failed", None)]


def test_an_error_that_a_rate_limit_keeps_back_is_a_failure_all_the_same():
    with Recording(rate_limit={"records_per_second": 1e-6, "burst": 1}) as recording:
        log = recording.logger()
        log.error("failed")
        with recording.span():
            log.debug("kept")
            log.error("failed")
        assert recording.shown == [("failed", None), ("kept", "error")]


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
    assert _terms(recording.provider.ledger()) == (2, 1, 0, 0)


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
        assert _terms(recorder.provider.ledger()) == (1, 1, 0, 0)


def test_a_reason_that_nobody_knows_is_refused():
    with Recording() as recording, pytest.raises(ValueError, match="reason"):
        recording.provider.pipeline.trace_ended(7, "bored")
