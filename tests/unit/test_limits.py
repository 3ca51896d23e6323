"""The limits of OpenTelemetry's logs SDK, clause by clause, through every door."""

import logging
import threading

import pytest
from opentelemetry._logs import LogRecord

from fapilog import Settings, diagnostics
from fapilog.bridges import stdlib
from tests.unit.recording import Recorder


@pytest.fixture(autouse=True)
def voice():
    diagnostics._voice.forget()


def log_everywhere(recorder, body, attributes):
    """Log the same attributes through every door; answer what was recorded of them."""
    api = recorder.provider.get_logger("api")
    recorder.logger("native").info(body, **attributes)
    recorder.logger("native").emit_record(body=body, attributes=attributes)
    api.emit(body=body, attributes=attributes)
    api.emit(LogRecord(body=body, attributes=attributes))
    bridge = logging.Logger("bridge")
    bridge.addHandler(stdlib.FapilogHandler(recorder.provider.handle))
    bridge.info("%s", body, extra=attributes)
    found = list(recorder.records)
    recorder.records.clear()
    assert len(found) == 5
    return found


def test_over_the_count_the_attribute_being_added_is_discarded_and_counted():
    with Recorder(limits={"attribute_count": 2}) as recorder:
        found = log_everywhere(recorder, "m", dict.fromkeys("abcd", 1))
    assert [(list(r.attributes), r.dropped_attributes_count) for r in found] == [(["a", "b"], 2)] * 5


def test_the_count_is_of_the_top_level_only():
    nested = {"a": {str(n): n for n in range(9)}, "b": list(range(9))}
    with Recorder(limits={"attribute_count": 2}) as recorder:
        found = log_everywhere(recorder, "m", nested)
    assert [(r.attributes, r.dropped_attributes_count) for r in found] == [(nested, 0)] * 5


def test_strings_are_cut_by_characters_and_bytes_by_bytes_at_any_depth():
    long = {"s": "äöüß€", "b": b"12345", "l": ["äöüß€", [b"12345"]], "m": {"k": "äöüß€", "b": b"12345"}}
    cut = {"s": "äöü", "b": b"123", "l": ["äöü", [b"123"]], "m": {"k": "äöü", "b": b"123"}}
    with Recorder(limits={"attribute_value_length": 3}) as recorder:
        found = log_everywhere(recorder, "m", long)
    assert [r.attributes for r in found] == [cut] * 5


def test_a_value_is_cut_behind_redaction_through_every_door():
    given = {"card": "pay 4111111111111111", "url": ["https://ann:hunter2@host/path"], "plain": "x" * 30}
    kept = {"card": "pay 411111111111111", "url": ["https://REDACTED:RE"], "plain": "x" * 19}
    with Recorder(limits={"attribute_value_length": 19}) as recorder:
        found = log_everywhere(recorder, "m", given)
    assert [r.attributes for r in found] == [kept] * 5
    with Recorder(limits={"attribute_value_length": 9}, redaction="scan") as recorder:
        found = log_everywhere(recorder, "m", {"card": "pay 4111111111111111 now"})
    noted = {"card": "pay [REDACTED:pan]", "fapilog.redacted": ["card:pan"]}
    assert [r.attributes for r in found] == [noted] * 5


def test_a_stack_trace_is_cut_behind_redaction():
    with Recorder(limits={"attribute_value_length": 60}, redaction="scan") as recorder:
        try:
            raise ValueError("declined: 4111111111111111")
        except ValueError:
            recorder.logger().bind(note="of 4111111111111111").exception("m")
        attributes = recorder.only.attributes
    assert attributes["exception.message"] == "declined: [REDACTED:pan]"
    assert attributes["note"] == "of [REDACTED:pan]"
    assert (len(attributes["exception.stacktrace"]), "4111" in repr(attributes)) == (60, False)


def test_of_a_text_that_is_not_read_to_its_end_no_piece_of_a_value_stays():
    large = {"record_bytes": 2**22, "chunk_bytes": 2**23}
    for end in ("4111 1111 1111 1111", "https://ann:hunter2@host"):
        for missing in range(4, 12):
            text = "x " * ((256 * 1024 - len(end) + missing) // 2) + end
            with Recorder(buffer=large, redaction="scan") as recorder:
                recorder.logger().info(text, text=text)
                record = recorder.only
            assert {len(record.body), len(record.attributes["text"])} == {240 * 1024}
            assert set(record.body) | set(record.attributes["text"]) == {"x", " "}


def test_containers_deeper_than_the_limit_are_empty_values():
    deep = {"a": [[[1]]], "m": {"x": {"y": {"z": 1}}}, "s": "flat"}
    cut = {"a": [[None]], "m": {"x": {"y": None}}, "s": "flat"}
    with Recorder(limits={"depth": 2}) as recorder:
        found = log_everywhere(recorder, "m", deep)
    assert [r.attributes for r in found] == [cut] * 5


def test_limits_do_not_apply_to_the_body():
    with Recorder(limits={"attribute_count": 0, "attribute_value_length": 1}) as recorder:
        recorder.provider.get_logger("api").emit(body={"a": "long text", "b": 2, "c": 3})
        recorder.logger().info("long text")
        assert [record.body for record in recorder.records] == [
            {"a": "long text", "b": 2, "c": 3},
            "long text",
        ]


def test_one_record_makes_one_message_at_most_and_a_logger_one_a_minute(capsys):
    with Recorder(limits={"attribute_count": 1}) as recorder:
        for _ in range(3):
            recorder.logger("shop").info("m", **dict.fromkeys("abcdef", 1))
        recorder.provider.get_logger("other").emit(attributes=dict.fromkeys("abc", 1))
    assert capsys.readouterr().err.splitlines() == [
        "fapilog: a record of logger 'shop' left 5 attributes out: limits.attribute_count is 1"
        " [attributes-dropped]",
        "fapilog: a record of logger 'other' left 2 attributes out: limits.attribute_count is 1"
        " [attributes-dropped]",
    ]


def test_without_a_setting_128_attributes_are_kept_of_any_length():
    with Recorder() as recorder:
        recorder.logger().info("m", a="x" * 5_000, **{f"k{n}": n for n in range(200)})
        record = recorder.only
    assert (len(record.attributes), record.dropped_attributes_count) == (128, 73)
    assert record.attributes["a"] == "x" * 5_000


GENERAL = {"OTEL_ATTRIBUTE_COUNT_LIMIT": "7", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "70"}
SPECIFIC = {"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": "50"}


@pytest.mark.parametrize(
    ("environ", "limits"),
    [
        ({}, (128, None)),
        (GENERAL, (7, 70)),
        (GENERAL | SPECIFIC, (5, 50)),
        (dict.fromkeys(GENERAL | SPECIFIC, ""), (128, None)),
        (GENERAL | dict.fromkeys(SPECIFIC, " "), (7, 70)),
        (dict.fromkeys(GENERAL | SPECIFIC, "many"), (128, None)),
        (GENERAL | dict.fromkeys(SPECIFIC, "-1"), (7, 70)),
        (dict.fromkeys(SPECIFIC, "99999999999999999999"), (128, None)),
        (dict.fromkeys(SPECIFIC, "0"), (0, 0)),
    ],
)
def test_the_limit_of_log_records_wins_and_what_is_empty_or_no_number_counts_as_unset(environ, limits):
    found = Settings.load(environ=environ).limits
    assert (found.attribute_count, found.attribute_value_length) == limits


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_value_that_is_no_number_is_named_and_ignored(capsys, value):
    Settings.load(environ={"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": value})
    said = capsys.readouterr().err
    assert said.startswith(f"fapilog: OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT = '{value}' ")
    assert said.endswith(" [variable-ignored]\n")


def test_with_capture_thread_a_record_names_the_thread_that_logs():
    with Recorder(capture_thread=True) as recorder:

        def log():
            recorder.logger().info("m")
            recorder.provider.get_logger("api").emit(body="m", attributes={"thread.id": 7})

        thread = threading.Thread(target=log, name="worker-7")
        thread.start()
        thread.join()
        own, given = (record.attributes for record in recorder.records)
    assert own == {"thread.id": thread.ident, "thread.name": "worker-7"}
    assert given == {"thread.id": 7}
