"""The flight recorder keeps records below the level per trace, and exports them when the trace fails."""

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

import fapilog
from tests.unit.flights import Recording, terms
from tests.unit.processing import Processor


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
    assert terms(kept) == (2, 2, 1, 0)
    assert terms(after) == (4, 2, 0, 2)


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
