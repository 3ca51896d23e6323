"""Rules by scope: off, minimum severity, trace based; by settings and at run time, for every door in."""

import logging
import os
import threading
import time

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context

import fapilog
from fapilog.bridges import stdlib
from fapilog.errors import ConfigurationError
from fapilog.settings import LoggerRule, Settings
from fapilog.severity import Severity
from tests.unit.recording import Recorder

NEVER = threading.Event()


def in_span(*, sampled: bool) -> Context:
    """Answer a context with a span."""
    flags = trace.TraceFlags(1 if sampled else 0)
    span = trace.NonRecordingSpan(trace.SpanContext(0xA, 0xB, is_remote=False, trace_flags=flags))
    return trace.set_span_in_context(span, Context())


def bodies(recorder: Recorder) -> list[object]:
    """Answer the bodies so far, and forget them."""
    found = [record.body for record in recorder.records]
    recorder.records.clear()
    return found


def log_everywhere(recorder: Recorder, name: str) -> list[object]:
    """Log at DEBUG, INFO and without a severity through every door; answer the bodies that came through."""
    native, api = recorder.logger(name), recorder.provider.get_logger(name)
    bridge = logging.Logger(name)
    bridge.addHandler(stdlib.FapilogHandler(recorder.provider.handle))
    native.debug("native debug")
    native.info("native info")
    api.emit(body="api debug", severity_number=SeverityNumber.DEBUG)
    api.emit(body="api info", severity_number=SeverityNumber.INFO)
    api.emit(body="api unspecified")
    bridge.debug("bridge debug")
    bridge.info("bridge info")
    return bodies(recorder)


ALL = [
    "native debug",
    "native info",
    "api debug",
    "api info",
    "api unspecified",
    "bridge debug",
    "bridge info",
]
INFOS = [body for body in ALL if "debug" not in body]


def test_the_first_matching_pattern_applies_to_every_door():
    rules = {"noisy.*": "off", "shop.*": "debug", "shop.orders": "off", "quiet*": "error"}
    with Recorder(level="info", rules=rules) as recorder:
        found = {
            name: log_everywhere(recorder, name) for name in ("noisy.a", "noisy", "shop.orders", "quiet", "x")
        }
        assert recorder.provider.ledger().balanced
    assert found == {
        "noisy.a": [],
        "noisy": INFOS,
        "shop.orders": ALL,
        "quiet": ["api unspecified"],
        "x": INFOS,
    }


def test_dropped_records_count_as_filtered():
    with Recorder(rules={"a": "off", "b": "trace_based"}) as recorder:
        log_everywhere(recorder, "a")
        with trace.use_span(trace.get_current_span(in_span(sampled=False))):
            log_everywhere(recorder, "b")
        ledger = recorder.provider.ledger()
    assert (ledger.offered, ledger.filtered, ledger.accepted) == (14, 14, 0)


def test_trace_based_drops_what_belongs_to_an_unsampled_span_and_nothing_else():
    with Recorder(rules={"*": "trace_based"}) as recorder:
        log = recorder.logger()
        log.info("no span")
        for sampled in (True, False):
            with trace.use_span(trace.get_current_span(in_span(sampled=sampled))):
                log.info(f"sampled {sampled}")
        assert bodies(recorder) == ["no span", "sampled True"]


def test_trace_based_asks_the_context_that_was_given():
    with Recorder(rules={"*": "trace_based"}) as recorder:
        api = recorder.provider.get_logger("shop")
        with trace.use_span(trace.get_current_span(in_span(sampled=True))):
            api.emit(body="unsampled", context=in_span(sampled=False))
            enabled = api.enabled(context=in_span(sampled=False))
        with trace.use_span(trace.get_current_span(in_span(sampled=False))):
            api.emit(body="sampled", context=in_span(sampled=True))
            enabled_other = api.enabled(context=in_span(sampled=True))
        assert (bodies(recorder), enabled, enabled_other) == (["sampled"], False, True)


def test_is_enabled_for_answers_as_the_rules_do():
    rules = {"off": "off", "warned": "warn+trace_based"}
    with Recorder(level="info", rules=rules) as recorder:
        unsampled = in_span(sampled=False)
        answers = {
            name: (
                [number for number in (0, 9, 13, 24) if recorder.logger(name).is_enabled_for(number)],
                recorder.logger(name).is_enabled_for(24, context=unsampled),
            )
            for name in ("off", "warned", "other")
        }
    assert answers == {"off": ([], False), "warned": ([0, 13, 24], False), "other": ([0, 9, 13, 24], True)}


def test_rules_change_at_run_time_for_loggers_that_exist_and_revert_for_nobody():
    with Recorder(level="info") as recorder:
        log = recorder.logger("shop.orders")
        log.debug("before")
        recorder.provider.set_rules({"shop.*": "debug"})
        log.debug("by rule")
        recorder.provider.set_rules([LoggerRule(pattern="shop.*", enabled=False)])
        log.critical("off")
        recorder.provider.set_rules({})
        log.info("open again")
        assert bodies(recorder) == ["by rule", "open again"]


def wait_until(done) -> bool:
    """Answer whether `done()` became true within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if done():
            return True
        NEVER.wait(0.005)
    return False


def test_a_time_box_reverts_by_itself():
    with Recorder(level="info") as recorder:
        log = recorder.logger("shop")
        recorder.provider.set_level("debug", for_seconds=0.2)
        recorder.provider.set_rules({"noisy": "off"}, for_seconds=600)
        log.debug("inside")
        assert log.is_enabled_for(Severity.DEBUG)
        assert wait_until(lambda: not log.is_enabled_for(Severity.DEBUG))
        log.debug("outside")
        log.info("still here")
        recorder.logger("noisy").critical("never")
        assert bodies(recorder) == ["inside", "still here"]


def test_a_time_box_ends_inside_a_log_call_too():
    with Recorder(level="info") as recorder:
        log = recorder.logger("shop")
        recorder.provider.set_rules({"shop": "off"}, for_seconds=0.05)

        def came_through() -> bool:
            log.info("x")
            return bool(recorder.records)

        assert wait_until(came_through)


def test_a_change_for_good_ends_a_time_box():
    with Recorder(level="info") as recorder:
        recorder.provider.set_level("debug", for_seconds=600)
        recorder.provider.set_level("error")
        recorder.logger().warning("below")
        assert recorder.records == []


def test_levels_by_name_stay_unless_they_are_given():
    with Recorder(level="info", levels={"shop": "debug"}) as recorder:
        recorder.provider.set_level("error")
        recorder.logger("shop").debug("stays")
        recorder.provider.set_level("error", {})
        recorder.logger("shop").debug("gone")
        assert bodies(recorder) == ["stays"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_time_box_reverts_in_a_forked_child_too():
    with Recorder(level="info") as recorder:
        log = recorder.logger("shop")
        begun = time.monotonic()
        recorder.provider.set_level("debug", for_seconds=0.3)
        log.info("before the fork")
        child = os.fork()
        if child == 0:
            inside = log.is_enabled_for(Severity.DEBUG) or time.monotonic() - begun > 0.3
            outside = wait_until(lambda: not log.is_enabled_for(Severity.DEBUG))
            os._exit(0 if inside and outside else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_telemetry_passes_changes_on():
    with fapilog.configure_otel("shop", exporters=["none"], level="info") as telemetry:
        log = fapilog.get_logger("shop")
        telemetry.set_rules({"shop": "debug"})
        by_rule = log.is_enabled_for(Severity.DEBUG)
        telemetry.set_rules({})
        telemetry.set_level("debug", for_seconds=600)
        assert (by_rule, log.is_enabled_for(Severity.DEBUG)) == (True, True)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e9, "soon", True])
def test_what_is_no_time_is_a_configuration_error(seconds):
    with Recorder() as recorder, pytest.raises(ConfigurationError, match="for_seconds is no time"):
        recorder.provider.set_rules({}, for_seconds=seconds)


WAYS = {
    "text": "urllib3.*=off, shop.*=debug+trace_based ,*=on",
    "words": {"urllib3.*": "off", "shop.*": "debug+trace_based", "*": "on"},
    "fields": {
        "urllib3.*": {"enabled": False},
        "shop.*": {"minimum_severity": "debug", "trace_based": True},
        "*": {},
    },
    "list": [
        {"pattern": "urllib3.*", "enabled": False},
        LoggerRule(pattern="shop.*", minimum_severity=Severity.DEBUG, trace_based=True),
        {"pattern": "*"},
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_rules_are_read_in_every_form(way):
    settings = Settings.load(environ={}, rules=WAYS[way])
    assert [rule.native() for rule in settings.rules] == [
        ("urllib3.*", False, None, False),
        ("shop.*", True, 5, True),
        ("*", True, None, False),
    ]
    [row] = [row for row in settings.explain() if row.name == "rules"]
    assert row.value == ["urllib3.*=off", "shop.*=debug+trace_based", "*=on"]
    assert settings == Settings.load(environ={"FAPILOG_RULES": ",".join(row.value)})
    assert settings.with_changes(level="debug").rules == settings.rules


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ("shop", "rules is not a list of key=value pairs"),
        ("shop=loud", "rules holds a word that no rule knows: 'loud'"),
        ({"shop": {"minimum_severity": "loud"}}, "rules is not the name of a level"),
        ({"shop": {"enabled": "yes"}}, "rules is neither true nor false"),
        ({"shop": 3}, "rules holds a rule that is neither words, nor a severity, nor a mapping: 3"),
        ({"shop": None}, "rules holds a rule that is neither words, nor a severity, nor a mapping: None"),
        ({"": "off"}, "rules holds a rule without a pattern"),
        ([{"pattern": " "}], "rules holds a rule without a pattern"),
        ({"shop": "off+debug"}, "rules holds a level beside off, which drops all: 'off+debug'"),
        ("shop=on+off", "rules holds words that contradict each other: 'on+off'"),
        ("shop=debug+info", "rules holds words that contradict each other: 'debug+info'"),
        (3, "rules is not a list"),
    ],
)
def test_a_rule_that_is_wrong_is_named(rules, what):
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, rules=rules)
    assert caught.value.what == what


def test_a_rule_in_a_file_is_read(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("rules:\n  'urllib3.*': off+trace_based\n  shop: {minimum_severity: warn}\n")
    settings = Settings.load(path, environ={})
    assert [rule.compact() for rule in settings.rules] == ["urllib3.*=off+trace_based", "shop=warn"]


def test_without_a_level_the_api_has_no_minimum_severity_and_loggers_of_ours_begin_at_info():
    with fapilog.LoggerProvider(settings=Settings.load(environ={}), exporters=["memory"]) as provider:
        api, ours = provider.get_logger("shop"), fapilog.Logger(provider.handle, "shop")
        api.emit(body="x", severity_number=SeverityNumber.TRACE)
        ours.debug("y")
        enabled = api.enabled(severity_number=SeverityNumber.DEBUG), ours.is_enabled_for(Severity.DEBUG)
        assert (provider.ledger().accepted, provider.ledger().filtered, enabled) == (1, 1, (True, False))
        provider.set_level("info")
        assert not api.enabled(severity_number=SeverityNumber.DEBUG)


def test_a_level_that_was_chosen_counts_for_the_api_too():
    settings = Settings.load(environ={}, level="info")
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        assert not provider.get_logger("shop").enabled(severity_number=SeverityNumber.DEBUG)


@pytest.mark.parametrize(("chosen", "wants"), [({}, True), ({"level": "info"}, False)])
def test_the_processor_of_a_stock_provider_filters_by_a_level_that_was_chosen_only(chosen, wants):
    settings = Settings.load(environ={}, **chosen)
    processor = fapilog.FapilogLogRecordProcessor(settings=settings, exporters=["none"])
    assert processor.enabled(severity_number=SeverityNumber.DEBUG) is wants
    processor.shutdown()
