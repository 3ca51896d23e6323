"""What the native `Logger` looks like from Python: levels, reserved keywords, formatting, never raising."""

import asyncio
import copy
import datetime
import gc
import inspect
import pickle
import weakref

import pytest

from fapilog import Logger, Severity
from tests.unit.recording import NOW, Recorder, expected

LEVEL_METHODS = {
    "trace": (1, "TRACE"),
    "debug": (5, "DEBUG"),
    "info": (9, "INFO"),
    "warning": (13, "WARN"),
    "error": (17, "ERROR"),
    "critical": (21, "FATAL"),
    "exception": (17, "ERROR"),
    "audit": (10, "INFO2"),
    "security": (14, "WARN2"),
}


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Interrupting:
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.fixture
def recorder():
    with Recorder() as recorder:
        yield recorder


@pytest.mark.parametrize(("method", "level"), LEVEL_METHODS.items())
def test_a_level_method_gives_its_severity_the_body_and_the_attributes(recorder, method, level):
    getattr(recorder.logger(), method)("order placed", order_id=42, amount=12.5, paid=True, note=None)
    attributes = {"order_id": 42, "amount": 12.5, "paid": True, "note": None}
    assert recorder.only == expected(*level, "order placed", attributes=attributes)


@pytest.mark.parametrize("method", LEVEL_METHODS)
def test_a_level_method_needs_no_message(recorder, method):
    getattr(recorder.logger(), method)()
    assert recorder.only == expected(*LEVEL_METHODS[method])


@pytest.mark.parametrize(
    ("severity", "number", "text"),
    [
        (1, 1, "TRACE"),
        (8, 8, "DEBUG4"),
        (24, 24, "FATAL4"),
        (Severity.INFO3, 11, "INFO3"),
        (25, 10, "INFO2"),
        (30, 13, "WARN"),
        (35, 16, "WARN4"),
        (40, 17, "ERROR"),
        (50, 21, "FATAL"),
        (2**80, 24, "FATAL4"),
        (0, 1, "TRACE"),
        (-1, 1, "TRACE"),
        ("info", 9, "INFO"),
        ("Warning", 13, "WARN"),
        (" debug2 ", 6, "DEBUG2"),
        ("notice", 10, "INFO2"),
        ("security", 14, "WARN2"),
        ("critical", 21, "FATAL"),
        ("nonsense", 9, "INFO"),
        (None, 9, "INFO"),
        (Unprintable(), 9, "INFO"),
    ],
)
def test_log_takes_otel_numbers_stdlib_levels_and_names(recorder, severity, number, text):
    recorder.logger().log(severity, "%s placed", "order", order_id=42)
    assert recorder.only == expected(number, text, "order placed", attributes={"order_id": 42})


def test_log_with_a_severity_alone_logs_an_empty_message(recorder):
    recorder.logger().log("error")
    assert recorder.only == expected(17, "ERROR")


def test_reserved_keywords_become_fields_and_attributes_of_their_own(recorder):
    recorder.logger().info(
        "login",
        event_name="user.login",
        category="security",
        severity=3,
        tags={"region": "eu", "password": "hunter2"},
        timestamp=5,
        user="ada",
    )
    attributes = {
        "user": "ada",
        "fapilog.event.category": "security",
        "fapilog.event.severity": 3,
        "fapilog.tag.region": "eu",
        "fapilog.tag.password": "[REDACTED:secret]",
    }
    assert recorder.only == expected(
        9, "INFO", "login", time_unix_nano=5, event_name="user.login", attributes=attributes
    )


def test_a_reserved_keyword_that_is_none_says_nothing(recorder):
    nothing = dict.fromkeys(("exc_info", "event_name", "category", "severity", "tags", "timestamp"))
    recorder.logger().info("started", **nothing)
    assert recorder.only == expected(9, "INFO", "started")


@pytest.mark.parametrize(
    ("timestamp", "unix_nanos"),
    [
        (7_000_000_000_000_000_001, 7_000_000_000_000_000_001),
        (1.5, 1_500_000_000),
        (datetime.datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=datetime.UTC), 1_577_836_800_000_001_000),
        (
            datetime.datetime(2020, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            1_577_836_800_000_000_000,
        ),
        (
            datetime.datetime(2020, 1, 1),
            int(datetime.datetime(2020, 1, 1).timestamp()) * 1_000_000_000,
        ),
    ],
)
def test_timestamp_is_a_datetime_or_nanoseconds_or_float_seconds(recorder, timestamp, unix_nanos):
    recorder.logger().info("past", timestamp=timestamp)
    assert recorder.only == expected(9, "INFO", "past", time_unix_nano=unix_nanos)


@pytest.mark.parametrize("timestamp", ["yesterday", -5, True, float("inf")])
def test_a_timestamp_that_is_none_stays_as_an_attribute(recorder, timestamp):
    recorder.logger().info("past", timestamp=timestamp)
    assert recorder.only == expected(9, "INFO", "past", attributes={"timestamp": timestamp})


def test_tags_may_be_a_list(recorder):
    recorder.logger().info("x", tags=["blue", "green"])
    assert recorder.only == expected(9, "INFO", "x", attributes={"fapilog.tags": ["blue", "green"]})


def test_exc_info_and_exception_describe_the_exception(recorder):
    log, error = recorder.logger(), ValueError("no such order")
    log.info("given", exc_info=error)
    log.info("tuple", exc_info=(ValueError, error, None))
    try:
        raise error
    except ValueError:
        log.exception("handled")
        log.info("handled too", exc_info=True)
    described = {"exception.type": "ValueError", "exception.message": "no such order"}
    plain = described | {"exception.stacktrace": "ValueError: no such order\n"}
    given, by_tuple, handled, handled_too = recorder.records
    assert (given.attributes, by_tuple.attributes) == (plain, plain)
    stack = handled.attributes.pop("exception.stacktrace")
    assert handled.attributes == described
    assert stack.startswith("Traceback (most recent call last):\n")
    assert stack.endswith("ValueError: no such order\n")
    assert handled_too.attributes["exception.type"] == "ValueError"


def test_exception_outside_of_a_handler_and_false_exc_info_describe_nothing(recorder):
    recorder.logger().exception("nothing wrong")
    recorder.logger().info("nothing wrong", exc_info=False)
    assert recorder.records == [
        expected(17, "ERROR", "nothing wrong"),
        expected(9, "INFO", "nothing wrong"),
    ]


def test_a_given_exc_info_wins_over_the_handled_exception(recorder):
    try:
        raise KeyError("handled")
    except KeyError:
        recorder.logger().exception("x", exc_info=ValueError("given"))
    assert recorder.only.attributes["exception.type"] == "ValueError"


@pytest.mark.parametrize(
    ("template", "arguments", "body"),
    [
        ("%s of %d", ("one", 2), "one of 2"),
        ("%(name)s is here", ({"name": "ada"},), "ada is here"),
        ("100 %", (), "100 %"),
        ("%s", ({},), "{}"),
        ("%s", ((1, 2),), "(1, 2)"),
    ],
)
def test_further_positional_arguments_are_formatted_as_logging_does(recorder, template, arguments, body):
    recorder.logger().info(template, *arguments)
    assert recorder.only == expected(9, "INFO", body)


@pytest.mark.parametrize("arguments", [("one",), (1, 2, 3), ({"other": 1},)])
def test_a_format_that_fails_keeps_template_and_arguments(recorder, arguments):
    recorder.logger().info("%(a)s %d", *arguments)
    attributes = {"fapilog.format_arguments": list(arguments)}
    assert recorder.only == expected(9, "INFO", "%(a)s %d", attributes=attributes)


def test_a_message_need_not_be_text(recorder):
    log = recorder.logger()
    log.info({"order": 1, "password": "hunter2"})
    log.info(42)
    log.info(None)
    bodies = [record.body for record in recorder.records]
    assert bodies == [{"order": 1, "password": "[REDACTED:secret]"}, 42, None]


def test_values_that_raise_are_named_and_the_logger_does_not_raise(recorder):
    recorder.logger().info(Unprintable(), value=Unprintable(), category=Unprintable())
    named = "<unprintable Unprintable>"
    attributes = {"value": named, "fapilog.event.category": named}
    assert recorder.only == expected(9, "INFO", named, attributes=attributes)


@pytest.mark.parametrize(
    "call", [lambda log, value: log.info("%s", value), lambda log, value: log.info(value)]
)
def test_a_keyboard_interrupt_inside_a_value_is_raised_after_the_record_is_done(recorder, call):
    with pytest.raises(KeyboardInterrupt):
        call(recorder.logger(), Interrupting())
    assert len(recorder.records) == 1


def test_lone_surrogates_are_escaped(recorder):
    recorder.logger().info("a\ud800", **{"k\udc00": "v\udc01"})
    assert recorder.only == expected(9, "INFO", r"a\ud800", attributes={r"k\udc00": r"v\udc01"})


async def test_a_call_can_be_awaited_more_than_once_and_gives_none(recorder):
    result = recorder.logger().info("started")
    assert inspect.isawaitable(result)
    assert await result is None
    assert await result is None
    assert await asyncio.gather(recorder.logger().info("a"), recorder.logger().debug("b")) == [None, None]
    assert [record.body for record in recorder.records] == ["started", "a", "b"]


def test_a_filtered_call_can_be_awaited_too():
    async def log(logger: Logger) -> None:
        await logger.info("below")

    with Recorder(level="error") as recorder:
        asyncio.run(log(recorder.logger()))
        assert recorder.records == []


def test_a_logger_has_a_name_a_repr_and_weak_references(recorder):
    log = recorder.logger("orders.api")
    reference = weakref.ref(log)
    assert (log.name, repr(log), reference() is log) == ("orders.api", '<fapilog.Logger "orders.api">', True)
    del log
    gc.collect()
    assert reference() is None


def test_a_logger_refuses_to_be_pickled_and_says_what_it_is(recorder):
    with pytest.raises(TypeError, match=r"cannot pickle 'fapilog\.Logger' object"):
        pickle.dumps(recorder.logger())


def test_a_copy_of_what_holds_a_logger_holds_the_same_logger(recorder):
    log = recorder.logger()
    copies = [copy.copy(log), copy.deepcopy(log), copy.deepcopy({"log": [log]})["log"][0]]
    assert [one is log for one in copies] == [True] * 3


def test_a_logger_cannot_be_subclassed_or_given_attributes(recorder):
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (Logger,), {})
    with pytest.raises(AttributeError):
        recorder.logger().mine = 1


def test_methods_have_the_signatures_that_the_stub_promises():
    assert str(inspect.signature(Logger.info)) == "(self, message='', /, *args, **attributes)"
    assert str(inspect.signature(Logger.log)) == "(self, severity, message='', /, *args, **attributes)"
    assert str(inspect.signature(Logger.bind)) == "(self, /, **attributes)"
    assert list(inspect.signature(Logger.emit_record).parameters)[1:] == [
        "body",
        "severity_number",
        "severity_text",
        "time_unix_nano",
        "observed_time_unix_nano",
        "attributes",
        "event_name",
        "context",
        "exception",
        "protected",
        "level_name",
        "location",
        "thread",
        "template",
    ]


def test_a_value_that_logs_while_it_is_read_disturbs_nothing(recorder):
    log = recorder.logger()

    class Chatty:
        def __str__(self) -> str:
            log.debug("inner", depth=1)
            return "chatty"

    log.info("outer", value=Chatty(), after=2)
    assert recorder.records == [
        expected(5, "DEBUG", "inner", attributes={"depth": 1}),
        expected(9, "INFO", "outer", attributes={"value": "chatty", "after": 2}),
    ]


def test_a_record_field_by_field_keeps_every_field(recorder):
    recorder.logger().emit_record(
        body=["a"],
        severity_number=13,
        severity_text="Achtung",
        time_unix_nano=1,
        observed_time_unix_nano=2,
        attributes={"k": "v"},
        event_name="e",
        exception=ValueError("v"),
    )
    attributes = {
        "k": "v",
        "exception.type": "ValueError",
        "exception.message": "v",
        "exception.stacktrace": "ValueError: v\n",
    }
    assert recorder.only == expected(
        13,
        "Achtung",
        ["a"],
        time_unix_nano=1,
        observed_time_unix_nano=2,
        event_name="e",
        attributes=attributes,
    )


def test_a_record_without_fields_has_only_the_time_it_was_seen(recorder):
    recorder.logger().emit_record()
    assert recorder.only == expected(0, "", time_unix_nano=0, observed_time_unix_nano=NOW)
