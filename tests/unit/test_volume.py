"""Sampling, rate limit, first occurrence, dedupe as an application meets them: kept, counted, weighed."""

import logging
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from fapilog import Ledger, LogEvent
from fapilog.bridges.stdlib import FapilogHandler
from tests.unit.recording import NOW, Recorder, expected

LOWEST, HIGHEST = 0xAB << 56, (0xAB << 56) | (1 << 56) - 1
HOUR_MILLIS = 3_600_000
HALF = {"sampling": {"ratio": 0.5}}
ONE_EACH = {"first_occurrence": {"per": "process"}}
ONE_PER_HOUR = {"rate_limit": {"records_per_second": 1 / 3600}}
LONG_DEDUPE = {"dedupe": {"window_millis": HOUR_MILLIS}}


def bodies(recorder: Recorder) -> list[object]:
    return [record.body for record in recorder.records]


def refused(recorder: Recorder) -> dict[str, int]:
    ledger = recorder.provider.ledger()
    assert ledger.balanced
    return {reason: count for reason, count in ledger.refused.items() if count}


def in_trace(trace_id: int, sampled: bool = True) -> object:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return trace.use_span(NonRecordingSpan(SpanContext(trace_id, 1, is_remote=False, trace_flags=flags)))


@pytest.fixture
def other_loggers() -> Iterator[logging.Logger]:
    """A logger of `logging` of its own."""
    logger = logging.Logger("shop")
    yield logger
    logger.handlers.clear()


def test_without_settings_nothing_is_left_out_and_nothing_is_added():
    with Recorder() as recorder:
        for _ in range(3):
            recorder.logger().info("again", n=1)
        assert recorder.records == [expected(9, "INFO", "again", attributes={"n": 1})] * 3
        assert refused(recorder) == {}


def test_a_sample_keeps_the_same_traces_in_two_processes():
    kept = []
    for _ in range(2):
        with Recorder(**HALF) as recorder:
            for randomness in range(0, 1 << 56, 1 << 51):
                with in_trace(1 << 100 | randomness):
                    recorder.logger().info("x", randomness=randomness)
            kept.append([record.attributes["randomness"] for record in recorder.records])
    assert kept[0] == kept[1] == list(range(1 << 55, 1 << 56, 1 << 51))


def test_a_record_of_a_sample_carries_how_many_it_stands_for():
    with Recorder(**HALF) as recorder:
        for trace_id in (LOWEST, HIGHEST):
            with in_trace(trace_id):
                recorder.logger().info("x", n=1)
        assert recorder.only.attributes == {"n": 1, "fapilog.sampling.weight": 2.0}
        assert refused(recorder) == {"sampled": 1}


def test_errors_audit_and_security_records_are_outside_of_any_sample():
    with Recorder(sampling={"ratio": 0.0}) as recorder:
        log = recorder.logger()
        log.info("x")
        log.error("error")
        log.audit("audit")
        log.security("security")
        log.info("category", category="security")
        log.emit_record(body="foreign", severity_number=9, attributes={"fapilog.event.category": "security"})
        log.emit_record(body="protected", severity_number=9, protected=True)
        assert bodies(recorder) == ["error", "audit", "security", "category", "foreign", "protected"]
        assert all("fapilog.sampling.weight" not in record.attributes for record in recorder.records)
        assert refused(recorder) == {"sampled": 1}


def test_the_level_that_is_kept_can_be_chosen():
    with Recorder(sampling={"ratio": 0.0, "keep_level": "critical"}) as recorder:
        recorder.logger().error("error")
        recorder.logger().critical("critical")
        assert bodies(recorder) == ["critical"]


def test_the_sampled_flag_can_decide():
    settings = {"sampling": {"ratio": 0.0, "in_span": "sampled_flag", "outside_span": "keep"}}
    with Recorder(**settings) as recorder:
        log = recorder.logger()
        log.info("outside")
        for sampled in (True, False):
            with in_trace(LOWEST, sampled):
                log.info(f"sampled {sampled}")
        assert bodies(recorder) == ["outside", "sampled True"]


def test_templates_are_messages_before_they_are_formatted(other_loggers):
    with Recorder(**ONE_EACH) as recorder:
        other_loggers.addHandler(FapilogHandler(recorder.provider.handle))
        for number in range(3):
            recorder.logger("native").info("order %s", number)
            other_loggers.warning("order %s", number)
        found = [(record.scope_name, record.body) for record in recorder.records]
        assert found == [("native", "order 0"), ("shop", "order 0")]
        assert refused(recorder) == {"repeated": 4}


def test_a_message_that_is_no_text_counts_by_its_type_and_keys():
    with Recorder(**ONE_EACH) as recorder:
        log = recorder.logger()
        messages = [{"a": 1}, {"a": 2}, {"b": 1}, ValueError("x"), ValueError("y"), KeyError("x"), 1, 2]
        for message in messages:
            log.info(message)
        assert bodies(recorder) == [{"a": 1}, {"b": 1}, "x", "'x'", 1]


def test_events_and_records_of_other_apis_count_by_their_body():
    with Recorder(**ONE_EACH) as recorder:
        for number in range(2):
            recorder.logger().emit(LogEvent(message="moved", tags={"n": str(number)}))
            recorder.logger().emit_record(body="seen", severity_number=9, attributes={"n": number})
        assert bodies(recorder) == ["moved", "seen"]


def test_a_limited_template_does_not_limit_others():
    with Recorder(rate_limit={"records_per_second": 1 / 3600, "burst": 2}) as recorder:
        log = recorder.logger()
        for number in range(5):
            log.error("busy", number=number)
            log.info("calm" if number == 0 else "other")
        kept = [(record.body, record.attributes.get("number")) for record in recorder.records]
        assert kept == [("busy", 0), ("calm", None), ("busy", 1), ("other", None), ("other", None)]
        assert refused(recorder) == {"rate_limited": 5}


def test_audit_records_have_no_limit_no_first_and_no_double():
    with Recorder(**ONE_EACH, **ONE_PER_HOUR, **LONG_DEDUPE) as recorder:
        for _ in range(3):
            recorder.logger().audit("login")
        assert bodies(recorder) == ["login"] * 3
        assert refused(recorder) == {}


def test_repeats_become_one_record_with_a_count_when_they_are_flushed():
    with Recorder(**LONG_DEDUPE) as recorder:
        log = recorder.logger()
        for _ in range(4):
            log.warning("disk full", disk="a")
        log.warning("disk full", disk="b")
        assert [record.attributes for record in recorder.records] == [{"disk": "a"}, {"disk": "b"}]
        assert refused(recorder) == {"deduplicated": 2}
        assert recorder.provider.force_flush()
        last = recorder.records[-1]
        assert last == expected(13, "WARN", "disk full", attributes={"disk": "a", "fapilog.dedupe.count": 3})
        ledger = recorder.provider.ledger()
        assert (ledger.offered, ledger.accepted, ledger.refused["deduplicated"]) == (5, 3, 2)


def test_shutdown_sends_what_dedupe_holds_back():
    with Recorder(**LONG_DEDUPE) as recorder:
        for _ in range(2):
            recorder.logger().info("x")
    assert [record.attributes for record in recorder.records] == [{}, {"fapilog.dedupe.count": 1}]


def test_a_repeat_that_is_captured_while_the_pipeline_is_shut_down_is_refused_and_counted():
    with Recorder(**LONG_DEDUPE) as recorder:

        class Ending:
            asked = 0

            def __str__(self) -> str:
                Ending.asked += 1
                if Ending.asked == 2:
                    recorder.provider.shutdown()
                return "a"

        for _ in range(2):
            recorder.logger().info("disk full", disk=Ending())
        ledger = recorder.provider.ledger()
        assert (ledger.offered, ledger.accepted, refused(recorder)) == (2, 1, {"shut_down": 1})


def test_attributes_can_be_left_out_of_the_comparison():
    with Recorder(dedupe={"window_millis": HOUR_MILLIS, "attributes": False}) as recorder:
        for number in range(3):
            recorder.logger().info("x", number=number)
        recorder.logger("other").info("x", number=3)
        recorder.logger().warning("x", number=4)
        recorder.provider.force_flush()
        attributes = [record.attributes for record in recorder.records]
        assert attributes == [
            {"number": 0},
            {"number": 3},
            {"number": 4},
            {"number": 2, "fapilog.dedupe.count": 2},
        ]


def test_weight_and_time_do_not_make_a_record_another_one():
    with Recorder(**HALF, **LONG_DEDUPE) as recorder:
        with in_trace(HIGHEST):
            recorder.logger().info("x")
            recorder.provider.pipeline.fix_clock(NOW + 1)
            recorder.logger().info("x")
        recorder.provider.force_flush()
        found = [(record.time_unix_nano, record.attributes) for record in recorder.records]
        weight = {"fapilog.sampling.weight": 2.0}
        assert found == [(NOW, weight), (NOW + 1, weight | {"fapilog.dedupe.count": 1})]


def test_a_tap_sees_the_end_of_a_window_with_the_next_call():
    with Recorder(dedupe={"window_millis": 20}) as recorder:
        log = recorder.logger()
        while not any("fapilog.dedupe.count" in record.attributes for record in recorder.records):
            log.info("x")
        counts = [record.attributes.get("fapilog.dedupe.count", 1) for record in recorder.records]
        offered = recorder.provider.ledger().offered
        assert offered - 1 <= sum(counts) <= offered


def test_secrets_are_hidden_in_what_is_held_back():
    with Recorder(**LONG_DEDUPE) as recorder:
        for _ in range(2):
            recorder.logger().info("x", url="https://me:hunter2@host/", password="hunter2")
        recorder.provider.force_flush()
        assert len(recorder.records) == 2
        assert "hunter2" not in repr(recorder.records)


def test_after_shutdown_records_are_refused_as_late_not_as_sampled():
    with Recorder(sampling={"ratio": 0.0}) as recorder:
        pass
    recorder.logger().info("late")
    assert refused(recorder) == {"shut_down": 1}


def test_a_weight_of_the_application_is_not_overwritten():
    with Recorder(**HALF) as recorder, in_trace(HIGHEST):
        recorder.logger().info("x", **{"fapilog.sampling.weight": 7})
        assert recorder.only.attributes == {"fapilog.sampling.weight": 7}


def test_offered_is_every_call(recorder_of_all):
    log = recorder_of_all.logger()
    for number in range(500):
        log.info("busy %s", number % 3)
        log.debug({"n": number})
    recorder_of_all.provider.force_flush()
    ledger: Ledger = recorder_of_all.provider.ledger()
    assert ledger.balanced
    assert ledger.offered == 1_000


@pytest.fixture
def recorder_of_all() -> Iterator[Recorder]:
    """A recorder whose provider has every processor on."""
    settings = {"first_occurrence": {"per": "interval", "interval_millis": 1}, **HALF, **LONG_DEDUPE}
    with Recorder(rate_limit={"records_per_second": 100.0}, **settings) as recorder:
        yield recorder
