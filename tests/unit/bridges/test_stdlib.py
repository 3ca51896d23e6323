"""Records of `logging` come through whole, unchanged for other handlers, and ours never come back."""

import logging
import logging.config
import sys
import threading
from dataclasses import replace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from fapilog import Severity, bind_context, diagnostics
from fapilog.bridges import logging_hook, odd_records, stdlib
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.bridges.records import from_stdlib, handled, record
from tests.unit.recording import Recorder

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


def test_an_untouched_root_logger_lets_through_what_the_level_says_until_the_bridge_is_removed(recorder):
    with bare_logging() as root:
        remove = stdlib.install(recorder.provider.handle)
        heard, level, handlers = root.getEffectiveLevel(), root.level, len(root.handlers)
        remove()
        assert (heard, level, handlers) == (Severity.TRACE.to_stdlib(), logging.WARNING, 0)
        assert (root.getEffectiveLevel(), root.level, root.handlers) == (logging.WARNING, logging.WARNING, [])


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


@pytest.mark.parametrize(
    ("extra", "name", "attributes"),
    [
        ({"otel.event.name": "order.placed", "a": 1}, "order.placed", {"a": 1}),
        ({"event.name": "old", "a": 1}, "old", {"a": 1}),
        ({"event.name": "old", "otel.event.name": "new"}, "new", {}),
        ({"otel.event.name": None, "event.name": "old"}, "old", {}),
        ({"event_name": "mine"}, "", {"event_name": "mine"}),
        ({"otel.event.name": 7}, "7", {}),
    ],
    ids=str,
)
def test_opentelemetry_s_extra_keys_give_the_event_name(recorder, extra, name, attributes):
    found = handled(recorder, msg="x", **extra)
    assert found == from_stdlib(9, "INFO", "x", event_name=name, attributes=attributes)


def test_extra_keys_have_no_meaning_of_ours(recorder):
    extra = {"severity": 3, "category": "security", "tags": ["a"], "timestamp": 1.5}
    assert handled(recorder, msg="x", **extra) == from_stdlib(9, "INFO", "x", attributes=extra)


def test_what_others_put_into_a_record_for_their_formatters_stays_out(recorder):
    noise = {"otelTraceID": "0", "otelSpanID": "0", "otelTraceSampled": False, "otelServiceName": "s"}
    noise |= {"color_message": "x", "message": "x", "asctime": "now", "taskName": "Task-1"}
    # Keys from parsed JSON are not the interned strings that attribute access makes.
    odd = {"".join(list(key)): value for key, value in noise.items()}
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    for extra in (noise, odd):
        made = record(msg="x")
        vars(made).update(extra)
        handler.handle(made)
    assert recorder.records == [from_stdlib(9, "INFO", "x")] * 2


@pytest.mark.parametrize("levelno", range(-2, 60))
def test_both_paths_map_every_level_alike(recorder, levelno):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.handle(record(msg="x", levelno=levelno))
    handler._take_carefully(record(msg="x", levelno=levelno), None)
    native, careful = recorder.records
    assert native == careful
    assert native.severity_number == Severity.from_stdlib(levelno)


@pytest.mark.parametrize(
    ("setting", "texts"),
    [("otel", ["WARN", "INFO2", "TRACE"]), ("source", ["WARNING", "NOTICE", "x" * 40])],
)
def test_the_severity_text_is_opentelemetry_s_or_the_source_s_own(setting, texts):
    with Recorder(severity_text=setting) as recorder:
        handler = stdlib.FapilogHandler(recorder.provider.handle)
        for levelno, levelname in ((30, "WARNING"), (25, "NOTICE"), (5, "x" * 40)):
            handler.handle(record(levelno=levelno, levelname=levelname))
            handler._take_carefully(record(levelno=levelno, levelname=levelname), None)
        assert [found.severity_text for found in recorder.records] == [text for text in texts for _ in "12"]


def test_the_thread_is_recorded_when_asked_for():
    with Recorder(capture_thread=True) as recorder:
        handler = stdlib.FapilogHandler(recorder.provider.handle)
        handler.handle(record(msg="x", thread=7, threadName="worker"))
        handler._take_carefully(record(msg="x", thread=7, threadName="worker"), None)
        handler.handle(record(msg="x", thread=None, threadName=None))
    ours = {"thread.id": threading.get_ident(), "thread.name": threading.current_thread().name}
    threads = [{"thread.id": 7, "thread.name": "worker"}] * 2 + [ours]
    assert [found.attributes for found in recorder.records] == threads


class Shop:
    def sell(self, log: logging.Logger, **options) -> int:
        log.warning("sold", **options)
        return sys._getframe().f_lineno - 1


def test_the_location_names_the_whole_function_as_long_as_it_runs():
    with bare_logging(), Recorder(capture_location="auto") as recorder:
        log = logging.getLogger("shop")
        remove = logging_hook.hook(stdlib.FapilogHandler(recorder.provider.handle))
        line = Shop().sell(log)
        Shop().sell(log)
        Shop().sell(log, stacklevel=2)
        log.info("quiet")
        remove()
        first, again, outer, quiet = recorder.records
    place = {
        "code.file.path": __file__,
        "code.function.name": f"{__name__}.Shop.sell",
        "code.line.number": line,
    }
    assert (first.attributes, again.attributes, quiet.attributes) == (place, place, {})
    assert outer.attributes["code.function.name"].endswith(
        "test_the_location_names_the_whole_function_as_long_as_it_runs"
    )


def test_the_location_of_a_record_from_elsewhere_is_what_it_says():
    with Recorder(capture_location="always") as recorder:
        handler = stdlib.FapilogHandler(recorder.provider.handle)
        made = record(msg="x", pathname="/srv/app.py", funcName="sell", lineno=12)
        handler.handle(made)
        handler._take_carefully(made, None)
        handler.handle(record(msg="x"))
    place = {"code.file.path": "/srv/app.py", "code.function.name": "sell", "code.line.number": 12}
    assert [found.attributes for found in recorder.records] == [place, place, {}]


def test_attributes_of_the_call_win_over_the_location():
    with Recorder(capture_location="always") as recorder:
        made = record(msg="x", pathname="/srv/app.py", funcName="sell", lineno=12, **{"code.line.number": 1})
        stdlib.FapilogHandler(recorder.provider.handle).handle(made)
    place = {"code.file.path": "/srv/app.py", "code.function.name": "sell", "code.line.number": 1}
    assert recorder.only.attributes == place


def test_an_exception_that_only_its_text_is_left_of_keeps_the_text(recorder):
    found = handled(recorder, msg="x", exc_text="Traceback ...")
    assert found == from_stdlib(9, "INFO", "x", attributes={"exception.stacktrace": "Traceback ..."})


@pytest.mark.parametrize("info", [(None, None, None), False, (), (1, 2, 3), 7])
def test_no_exception_is_no_attribute(recorder, info):
    try:
        raise KeyError("another one")
    except KeyError:
        assert handled(recorder, msg="x", exc_info=info) == from_stdlib(9, "INFO", "x")


def test_a_record_keeps_arguments_exception_and_texts_for_the_others(recorder):
    error = ValueError("v")
    made = record(msg="%s", args=("x",), exc_info=(ValueError, error, None))
    before = dict(vars(made))
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.handle(made)
    handler._take_carefully(made, None)
    assert vars(made) == before


def test_a_record_of_a_class_with_its_own_message_is_asked_for_it(recorder):
    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802
            return str(self.msg).format(*self.args)

    made = Braces("shop", 20, __file__, 1, "{} of {}", (1, 2), None)
    stdlib.FapilogHandler(recorder.provider.handle).handle(made)
    assert recorder.only.body == "1 of 2"


def test_a_class_of_records_that_was_patched_is_asked_too(recorder, monkeypatch):
    monkeypatch.setattr(logging.LogRecord, "getMessage", lambda self: f"patched {self.msg}")
    assert handled(recorder, msg="x").body == "patched x"


@pytest.mark.parametrize(
    ("msg", "args", "body"),
    [
        ("%(a)s", ({"a": 1},), "1"),
        ("100 %", (), "100 %"),
        ("100 %", None, "100 %"),
        ([1, "%s"], ("x",), "[1, 'x']"),
        ([1, {"a": None}], (), [1, {"a": None}]),
        (ValueError("v"), (), "v"),
        (None, (), None),
        ("", (), ""),
    ],
    ids=repr,
)
def test_a_message_is_formatted_as_logging_does_and_keeps_its_type_otherwise(recorder, msg, args, body):
    made = logging.LogRecord("shop", 20, __file__, 1, msg, args, None)
    stdlib.FapilogHandler(recorder.provider.handle).handle(made)
    assert recorder.only.body == body


def test_an_adapter_adds_its_attributes(bridged):
    adapter = logging.LoggerAdapter(logging.getLogger("shop"), {"tenant": "acme"})
    adapter.warning("x")
    assert bridged.only.attributes == {"tenant": "acme"}


def test_span_and_bound_context_are_on_the_record(bridged):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s") as span, bind_context(request_id="r-1"):
        logging.getLogger("shop").warning("x", extra={"a": 1})
    context = span.get_span_context()
    assert (bridged.only.trace_id, bridged.only.span_id, bridged.only.attributes) == (
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
        {"a": 1, "request_id": "r-1"},
    )
