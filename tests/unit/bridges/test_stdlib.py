"""Records of `logging` come through whole, unchanged for other handlers, and ours never come back."""

import logging
import warnings
from contextlib import contextmanager
from dataclasses import replace

import pytest

from fapilog import diagnostics
from fapilog.bridges import odd_records, stdlib
from tests.unit.recording import Recorder, expected

CREATED = 1_600_000_000.25
NOON = 1_600_000_800.0


@pytest.fixture
def recorder():
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def bridged(recorder):
    """A recorder with the bridge installed on root, whose level stays as it was."""
    remove = stdlib.install(recorder.provider.handle)
    yield recorder
    remove()


def record(**fields) -> logging.LogRecord:
    """Answer a record of `logging` with a fixed time."""
    return logging.makeLogRecord({"name": "shop", "created": CREATED, "levelno": 20} | fields)


def handled(recorder: Recorder, **fields):
    """Answer what becomes of a record."""
    stdlib.FapilogHandler(recorder.provider.handle).handle(record(**fields))
    return recorder.only


def from_stdlib(number, text, body, **fields):
    """Answer the whole record that a record of `logging` should become."""
    return expected(number, text, body, time_unix_nano=1_600_000_000_250_000_000, **fields)


@pytest.mark.parametrize(
    ("levelno", "number", "text"),
    [
        (5, 1, "TRACE"),
        (10, 5, "DEBUG"),
        (20, 9, "INFO"),
        (25, 10, "INFO2"),
        (30, 13, "WARN"),
        (99, 24, "FATAL4"),
    ],
)
def test_name_time_level_and_message_are_mapped(recorder, levelno, number, text):
    found = handled(recorder, levelno=levelno, msg="%s of %d", args=("one", 2))
    assert found == from_stdlib(number, text, "one of 2")


def test_extra_becomes_attributes_and_secrets_are_hidden(recorder):
    found = handled(recorder, msg="x", order_id=42, password="p", taskName="t")
    attributes = {"order_id": 42, "password": "[REDACTED:secret]"}
    assert found == from_stdlib(9, "INFO", "x", attributes=attributes)


def test_a_message_without_arguments_keeps_its_type(recorder):
    assert handled(recorder, msg={"order": 1}) == from_stdlib(9, "INFO", {"order": 1})


def test_an_exception_and_a_stack_become_attributes(recorder):
    error = ValueError("v")
    found = handled(recorder, msg="x", exc_info=(ValueError, error, None), stack_info="Stack:\n  here")
    attributes = {
        "code.stacktrace": "Stack:\n  here",
        "exception.type": "ValueError",
        "exception.message": "v",
        "exception.stacktrace": "ValueError: v\n",
    }
    assert found == from_stdlib(9, "INFO", "x", attributes=attributes)


def test_a_message_that_cannot_be_formatted_keeps_template_and_arguments(recorder):
    found = handled(recorder, msg="%d items", args=("many",))
    attributes = {"fapilog.format_arguments": ["many"]}
    assert found == from_stdlib(9, "INFO", "%d items", attributes=attributes)


@pytest.mark.parametrize(
    "name", ["fapilog", "fapilog.x", "opentelemetry.sdk.trace", "opentelemetry.exporter"]
)
def test_what_delivers_records_makes_no_new_ones(recorder, name):
    stdlib.FapilogHandler(recorder.provider.handle).handle(record(name=name))
    assert recorder.records == []


@pytest.mark.parametrize(
    "name", ["fapilogger", "fapilog_demo", "opentelemetry.sdks", "opentelemetry.context"]
)
def test_a_name_that_only_begins_alike_is_recorded(recorder, name):
    assert handled(recorder, name=name, msg="x") == from_stdlib(9, "INFO", "x", scope_name=name)


def test_records_of_one_name_share_a_logger(recorder):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    for body in ("first", "second"):
        handler.handle(record(msg=body))
    assert recorder.records == [from_stdlib(9, "INFO", "first"), from_stdlib(9, "INFO", "second")]


def test_below_the_level_nothing_is_formatted_and_the_ledger_counts_it():
    class Loud:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    with Recorder(level="warning") as recorder:
        handler = stdlib.FapilogHandler(recorder.provider.handle)
        handler.handle(record(msg="%s", args=(Loud(),)))
        ledger = recorder.provider.ledger()
        assert (recorder.records, ledger.offered, ledger.filtered) == ([], 1, 1)


@pytest.mark.parametrize(
    ("wrong", "corrected"),
    [
        ({"created": "never"}, {"time_unix_nano": int(NOON * 1e9)}),
        ({"created": -1.0}, {"time_unix_nano": int(NOON * 1e9)}),
        ({"created": float("nan")}, {"time_unix_nano": int(NOON * 1e9)}),
        ({"levelno": "high"}, {}),
        ({"levelno": None}, {}),
        ({"name": None}, {"scope_name": ""}),
        ({"name": "\ud800"}, {"scope_name": r"\ud800"}),
        ({"exc_info": 7}, {}),
    ],
    ids=repr,
)
def test_a_field_that_cannot_be_used_gets_its_default_and_the_record_is_kept(
    recorder, monkeypatch, capsys, wrong, corrected
):
    diagnostics._voice.forget()
    monkeypatch.setattr(odd_records.time, "time", lambda: NOON)
    found = handled(recorder, msg="x", **wrong)
    assert found == replace(from_stdlib(9, "INFO", "x"), **corrected)
    assert capsys.readouterr().err == ""


def test_a_record_that_cannot_be_read_is_said_and_does_not_raise(recorder, capsys):
    diagnostics._voice.forget()
    stdlib.FapilogHandler(recorder.provider.handle).handle(object())
    assert recorder.records == []
    said = "fapilog: a record of logging could not be read: AttributeError [stdlib-record-lost]\n"
    assert capsys.readouterr().err == said


def test_other_handlers_see_what_they_saw_before(bridged, caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("shop").info("%s", "x", extra={"a": 1})
    [seen] = caplog.records
    assert (seen.msg, seen.args, seen.a, hasattr(seen, "message")) == ("%s", ("x",), 1, True)
    assert bridged.only.attributes == {"a": 1}


@contextmanager
def bare_logging(level=logging.WARNING):
    """`logging` as a fresh process has it, without a handler (pytest adds its own after every fixture)."""
    root = logging.getLogger()
    handlers, level_before = list(root.handlers), root.level
    root.handlers = []
    root.setLevel(level)
    try:
        yield root
    finally:
        root.handlers = handlers
        root.setLevel(level_before)


def test_an_untouched_root_logger_lets_info_through_until_the_bridge_is_removed(recorder):
    with bare_logging() as root:
        remove = stdlib.install(recorder.provider.handle)
        level, handlers = root.level, len(root.handlers)
        remove()
        assert (level, handlers) == (logging.INFO, 0)
        assert (root.level, root.handlers) == (logging.WARNING, [])


def test_a_level_set_meanwhile_is_left_alone(recorder):
    with bare_logging() as root:
        remove = stdlib.install(recorder.provider.handle)
        root.setLevel(logging.DEBUG)
        remove()
        assert root.level == logging.DEBUG


def test_a_configured_root_logger_keeps_its_level(recorder):
    with bare_logging(logging.ERROR) as root:
        remove = stdlib.install(recorder.provider.handle)
        assert root.level == logging.ERROR
        remove()


def test_a_server_logger_that_does_not_propagate_gets_its_own_handler(recorder):
    access = logging.getLogger("uvicorn.access")
    access.propagate = False
    access.setLevel(logging.INFO)
    try:
        remove = stdlib.install(recorder.provider.handle)
        access.info("GET /")
        remove()
        access.info("GET / again")
    finally:
        access.propagate = True
        access.setLevel(logging.NOTSET)
    assert [(found.scope_name, found.body) for found in recorder.records] == [("uvicorn.access", "GET /")]
    assert access.handlers == []


def test_warnings_come_through_logging_when_asked_for(recorder):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        remove = stdlib.install(recorder.provider.handle, capture_warnings=True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
        remove()
    assert (recorder.only.scope_name, recorder.only.severity_text) == ("py.warnings", "WARN")
    assert "DeprecationWarning: old thing" in recorder.only.body
