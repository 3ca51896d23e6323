"""`Logger.emit` of the OpenTelemetry API on native capture: every form, every wrong argument."""

import collections
import enum
import types
from dataclasses import replace

import pytest
from opentelemetry import _logs, trace
from opentelemetry._logs import Logger as ApiLogger
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadWriteLogRecord

from fapilog import diagnostics
from fapilog.otel.logger import OtelLogger
from tests.unit.recording import NOW, Recorder, expected

BARE = expected(0, "", "x", time_unix_nano=0)
SPAN = trace.SpanContext(2**127 + 1, 0xB, is_remote=False, trace_flags=trace.TraceFlags(1))
IN_SPAN = trace.set_span_in_context(trace.NonRecordingSpan(SPAN), Context())
IDS = {"trace_id": f"{2**127 + 1:032x}", "span_id": f"{0xB:016x}", "flags": 1}


@pytest.fixture
def recorder():
    diagnostics._voice.forget()
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def logger(recorder):
    return recorder.provider.get_logger("shop")


def test_the_logger_is_one_of_the_api_and_its_class_can_emit_too(recorder, logger):
    assert isinstance(logger, ApiLogger)
    fields = {"body": "x", "attributes": {"a": 1}}
    assert OtelLogger.emit(logger, **fields) is None
    assert OtelLogger.emit(logger, LogRecord(**fields)) is None
    assert logger.emit(**fields) is None
    assert recorder.records[0] == recorder.records[2] == replace(BARE, attributes={"a": 1})
    assert len(recorder.records) == 3


def test_keywords_made_at_run_time_are_the_same_keywords(recorder, logger):
    logger.emit(**{"".join(["bo", "dy"]): "x", "".join(["attri", "butes"]): {"a": 1}})
    assert recorder.only == replace(BARE, attributes={"a": 1})


@pytest.mark.parametrize("arguments", [(), (None,)])
def test_none_is_a_keyword_that_was_not_given(recorder, logger, arguments):
    names = (
        "timestamp observed_timestamp context severity_number severity_text attributes event_name exception"
    )
    logger.emit(*arguments, body="x", **dict.fromkeys(names.split()))
    assert recorder.only == BARE


def test_a_record_may_be_given_by_keyword_and_be_one_of_the_sdk(recorder, logger):
    record = LogRecord(body="x", observed_timestamp=NOW, attributes={"a": 1})
    logger.emit(record=record)
    logger.emit(ReadWriteLogRecord(record))
    assert recorder.records == [replace(BARE, attributes={"a": 1})] * 2


def test_a_record_keeps_the_ids_it_was_made_with(recorder, logger):
    record = LogRecord(body="x", observed_timestamp=NOW, context=IN_SPAN)
    outside = LogRecord(body="x", observed_timestamp=NOW)
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))):
        logger.emit(record)
    logger.emit(outside)
    record.span_id = 0
    logger.emit(record)
    assert recorder.records == [replace(BARE, **IDS), BARE, replace(BARE, **(IDS | {"span_id": ""}))]


def test_a_record_without_ids_has_those_of_its_context(recorder, logger):
    logger.emit(types.SimpleNamespace(body="x", context=IN_SPAN))
    assert recorder.only == replace(BARE, **IDS)


def test_a_context_given_counts_and_the_current_one_otherwise(recorder, logger):
    with trace.use_span(trace.NonRecordingSpan(SPAN)):
        logger.emit(body="x")
        logger.emit(body="x", context=Context())
    logger.emit(body="x", context=IN_SPAN)
    assert recorder.records == [replace(BARE, **IDS), BARE, replace(BARE, **IDS)]


def test_an_unknown_keyword_is_said_once_and_the_record_is_kept(recorder, logger, capsys):
    for _ in range(2):
        logger.emit(body="x", colour="red")
    assert recorder.records == [BARE, BARE]
    said = 'fapilog: emit() does not know the keyword "colour"; it is ignored [otel-keyword-unknown]\n'
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("record", ["text", 7, object(), types.SimpleNamespace(timestamp=1)])
def test_what_is_no_record_is_said_and_counted_as_refused(recorder, logger, capsys, record):
    logger.emit(record)
    assert recorder.records == []
    ledger = recorder.provider.ledger()
    assert (ledger.offered, ledger.refused["capture_failed"], ledger.balanced) == (1, 1, True)
    assert "[otel-record-lost]" in capsys.readouterr().err


class Level(enum.Enum):
    HIGH = 17
    NAMED = "high"


class Changing:
    value = 5


def test_severities_are_members_numbers_and_anything_with_a_value(recorder, logger):
    changing = Changing()
    given = [SeverityNumber.WARN, 9, Level.HIGH, Level.NAMED, changing, 99, -1, "high", object(), None]
    for number in given:
        logger.emit(body="x", severity_number=number)
    changing.value = 6
    logger.emit(body="x", severity_number=changing)
    found = [record.severity_number for record in recorder.records]
    assert found == [13, 9, 17, 0, 5, 24, 0, 0, 0, 0, 6]


def test_every_severity_of_the_api_has_its_number(recorder, logger):
    for _ in range(2):
        for number in SeverityNumber:
            logger.emit(severity_number=number)
    numbers = [number.value for number in SeverityNumber]
    assert [record.severity_number for record in recorder.records] == numbers * 2


class Text(str):
    __slots__ = ()


class BrokenError(Exception):
    pass


class Broken:
    def __str__(self):
        raise BrokenError

    __index__ = __int__ = __str__


@pytest.mark.parametrize(
    ("wrong", "corrected"),
    [
        ({"severity_text": Text("t")}, {"severity_text": "t"}),
        ({"severity_text": "caf\ud800"}, {"severity_text": "caf\\ud800"}),
        ({"severity_text": "x" * 99}, {"severity_text": "x" * 99}),
        ({"severity_text": Broken()}, {"severity_text": "<unprintable Broken>"}),
        ({"event_name": Broken()}, {"event_name": "<unprintable Broken>"}),
        ({"event_name": "é" * 200}, {"event_name": "é" * 200}),
        ({"timestamp": Broken()}, {}),
        ({"timestamp": 1.5}, {}),
        ({"observed_timestamp": -1}, {}),
        ({"severity_number": Broken()}, {}),
        ({"context": 7}, {}),
        ({"exception": "no exception"}, {}),
        ({"attributes": 7}, {}),
        ({"attributes": [("a", 1)]}, {}),
    ],
)
def test_a_wrong_field_costs_that_field_only(recorder, logger, wrong, corrected):
    fields = {"body": "x", "attributes": {"kept": 1}} | wrong
    logger.emit(**fields)
    record = types.SimpleNamespace(**fields)
    logger.emit(record)
    kept = {} if "attributes" in wrong else {"kept": 1}
    assert recorder.records == [replace(BARE, attributes=kept, **corrected)] * 2


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_reaches_the_application(recorder, logger, interrupt):
    class Stops:
        def __str__(self):
            raise interrupt

    for fields in ({"body": Stops()}, {"severity_text": Stops()}, {"attributes": {"a": Stops()}}):
        with pytest.raises(interrupt):
            logger.emit(**fields)


HIDDEN = "[REDACTED:secret]"
PLAIN = {"a": True, "b": 1, "c": 0.5, "d": None, "e": "é"}
RESERVED = dict.fromkeys(["exc_info", "event_name", "category", "severity", "tags", "timestamp"], 1)


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        (RESERVED, RESERVED),
        (
            {"a": True, "b": 1, "c": 0.5, "d": None, "e": "é"},
            {"a": True, "b": 1, "c": 0.5, "d": None, "e": "é"},
        ),
        (
            {"password": "p", "n": {"token": "t"}},
            {"password": "[REDACTED:secret]", "n": {"token": "[REDACTED:secret]"}},
        ),
        ({1: "number", "1": "text"}, {"1": "number"}),
        ({"1": "text", 1: "number"}, {"1": "text"}),
        ({"a": [1], "b": 2}, {"a": [1], "b": 2}),
        ({"a": 2**63, "b": "\ud800", "c": 2}, {"a": str(2**63), "b": "\\ud800", "c": 2}),
        ({"k" * 200: 1}, {"k" * 200: 1}),
        ({Text("a"): Text("b")}, {"a": "b"}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (BoundedAttributes(attributes={"a": [1, 2]}), {"a": [1, 2]}),
        ({}, {}),
    ],
    ids=str,
)
def test_attributes_of_any_mapping_are_kept(recorder, logger, attributes, found):
    before = dict(attributes)
    for _ in range(2):
        logger.emit(body="x", attributes=attributes)
    assert recorder.records == [replace(BARE, attributes=found)] * 2
    assert dict(attributes) == before


def test_attributes_that_a_mapping_has_dropped_are_counted(recorder, logger):
    bounded = BoundedAttributes(2, dict.fromkeys("abc", 1), immutable=False)
    logger.emit(body="x", attributes=bounded)
    assert recorder.only == replace(BARE, attributes={"b": 1, "c": 1}, dropped_attributes_count=1)


def test_a_dict_that_changes_while_it_is_read_is_read_as_it_was(recorder, logger):
    class Clears:
        def __str__(self):
            attributes.clear()
            attributes.update(dict.fromkeys(map(str, range(1_000)), 1))
            return "cleared"

    attributes = {"a": 1, "b": Clears(), "c": 3}
    logger.emit(body="x", attributes=attributes)
    assert recorder.only.attributes == {"a": 1, "b": "cleared", "c": 3}


def test_a_value_that_logs_while_it_is_read_ends(recorder, logger):
    class Logs:
        def __str__(self):
            logger.emit(body="inner", attributes={"again": self})
            return "logged"

    logger.emit(body="outer", attributes={"a": Logs()})
    bodies = [record.body for record in recorder.records]
    assert bodies[-1] == "outer"
    assert set(bodies[:-1]) == {"inner"}


def test_records_of_the_api_meet_the_built_in_processors_and_security_records_pass():
    with Recorder(rate_limit={"records_per_second": 0.001}) as recorder:
        logger = recorder.provider.get_logger("shop")
        for _ in range(3):
            logger.emit(body="x", severity_number=SeverityNumber.INFO)
            logger.emit(LogRecord(body="x", severity_number=SeverityNumber.INFO))
        logger.emit(body="y", attributes={"fapilog.event.category": "security"})
        assert [record.body for record in recorder.records] == ["x", "y"]
        assert recorder.provider.ledger().refused["rate_limited"] == 5


def test_the_global_logger_of_the_api_reaches_native_capture(recorder):
    logger = _logs.get_logger("shop", logger_provider=recorder.provider)
    logger.emit(body="x")
    assert recorder.only == BARE
