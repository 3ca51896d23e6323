"""Records of loguru come through whole; the real library makes them."""

import inspect
import logging
import sys

import pytest
from loguru import logger
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from fapilog import bind_context, diagnostics
from fapilog.bridges import loguru as bridge
from fapilog.bridges import stdlib
from fapilog.errors import MissingDependencyError
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.recording import Recorder

NAME = __name__


@pytest.fixture
def recorder():
    logger.remove()
    with Recorder() as recorder:
        remove = bridge.install(logger, handle=recorder.provider.handle)
        yield recorder
        remove()


def found(recorder, *fields):
    return tuple(getattr(recorder.only, field) for field in fields)


@pytest.mark.parametrize(
    ("level", "number", "text"),
    [
        ("TRACE", 1, "TRACE"),
        ("DEBUG", 5, "DEBUG"),
        ("INFO", 9, "INFO"),
        ("SUCCESS", 10, "INFO2"),
        ("WARNING", 13, "WARN"),
        ("ERROR", 17, "ERROR"),
        ("CRITICAL", 21, "FATAL"),
        (33, 16, "WARN4"),
    ],
)
def test_level_message_name_and_extra_are_mapped(recorder, level, number, text):
    logger.bind(tenant="acme").log(level, "{} of {total}", 1, total=2, password="p")
    attributes = {"tenant": "acme", "total": 2, "password": "[REDACTED:secret]"}
    assert found(recorder, "severity_number", "severity_text", "body", "scope_name", "attributes") == (
        number,
        text,
        "1 of 2",
        NAME,
        attributes,
    )


def test_the_time_is_loguru_s(recorder):
    times = []
    logger.add(lambda message: times.append(message.record["time"].timestamp()), format="x")
    logger.info("x")
    assert recorder.only.time_unix_nano == round(times[0] * 1e6) * 1_000


def test_the_level_s_own_name_when_asked_for():
    logger.remove()
    with Recorder(severity_text="source") as recorder:
        remove = bridge.install(logger, handle=recorder.provider.handle)
        logger.success("x")
        remove()
    assert (recorder.only.severity_number, recorder.only.severity_text) == (10, "SUCCESS")


def test_an_exception_is_described_whole_and_without_the_values_of_variables(recorder):
    card = "4111 1111"
    try:
        raise FileNotFoundError(2, f"No {card[:4]}")
    except FileNotFoundError:
        logger.exception("failed")
    attributes = recorder.only.attributes
    stack = attributes.pop("exception.stacktrace")
    assert (stack.endswith("FileNotFoundError: [Errno 2] No 4111\n"), "4111 1111" in stack) == (True, False)
    assert attributes == {"exception.type": "FileNotFoundError", "exception.message": "[Errno 2] No 4111"}


def test_what_catch_catches_is_recorded(recorder):
    @logger.catch
    def fail():
        raise ValueError("v")

    fail()
    assert recorder.only.severity_text == "ERROR"
    assert recorder.only.attributes["exception.message"] == "v"


def test_span_and_bound_context_are_on_the_record(recorder):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s") as span, bind_context(a=1), logger.contextualize(b=2):
        logger.info("x")
    assert found(recorder, "span_id", "attributes") == (
        trace.format_span_id(span.get_span_context().span_id),
        {"b": 2, "a": 1},
    )


def test_location_and_thread_are_what_loguru_found():
    logger.remove()
    with Recorder(capture_location="auto", capture_thread=True) as recorder:
        remove = bridge.install(logger, handle=recorder.provider.handle)
        logger.warning("x")
        logger.info("quiet")
        remove()
    first, quiet = recorder.records
    assert first.attributes == {
        "thread.id": first.attributes["thread.id"],
        "thread.name": "MainThread",
        "code.file.path": __file__,
        "code.function.name": f"{NAME}.test_location_and_thread_are_what_loguru_found",
        "code.line.number": first.attributes["code.line.number"],
    }
    assert sorted(quiet.attributes) == ["thread.id", "thread.name"]


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"otel.event.name": "order.placed"}, "order.placed"),
        ({"event.name": "old"}, "old"),
        ({"event.name": "old", "otel.event.name": "new"}, "new"),
    ],
)
def test_an_extra_key_gives_the_event_name(recorder, extra, name):
    logger.bind(**extra).info("x")
    assert found(recorder, "event_name", "attributes") == (name, {})


def test_records_below_the_level_never_reach_the_sink():
    logger.remove()
    with Recorder() as recorder:
        remove = bridge.install(logger, handle=recorder.provider.handle, level="WARNING")
        logger.info("x")
        remove()
    assert recorder.records == []


def test_the_plain_sink_serves_the_pipeline_of_the_process(configure):
    logger.remove()
    telemetry = configure()
    identifier = logger.add(bridge.sink, serialize=True)
    logger.info("x")
    logger.remove(identifier)
    assert telemetry.ledger().accepted == 1


def test_it_works_behind_loguru_s_queue(recorder):
    logger.remove()
    logger.add(bridge.Sink(recorder.provider.handle), enqueue=True, catch=False)
    logger.info("{}", 1)
    logger.complete()
    logger.remove()
    assert recorder.only.body == "1"


def test_removing_it_twice_or_after_loguru_forgot_it_does_no_harm(recorder):
    remove = bridge.install(logger, handle=recorder.provider.handle)
    logger.remove()
    remove()
    remove()
    logger.info("x")
    assert recorder.records == []


def test_a_value_that_logs_itself_does_not_hang(recorder):
    class Logs:
        def __str__(self) -> str:
            logger.info("inner")
            return "text"

    logger.bind(value=Logs()).info("outer")
    assert recorder.only.body == "outer"


def test_an_interrupt_reaches_the_application(recorder):
    class Interrupts:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logger.bind(value=Interrupts()).info("x")
    assert recorder.only.body == "x"


def test_a_record_that_cannot_be_read_is_said(recorder, capsys):
    diagnostics._voice.forget()
    bridge.Sink(recorder.provider.handle)("no message of loguru")
    said = "fapilog: a record of loguru could not be read: AttributeError [loguru-record-lost]\n"
    assert (recorder.records, capsys.readouterr().err) == ([], said)


def test_records_of_logging_that_loguru_intercepts_keep_their_name(recorder):
    class Intercept(logging.Handler):
        def emit(self, record):
            logger.patch(lambda made: made.update(name=record.name)).info(record.getMessage())

    log = logging.getLogger("intercepted")
    log.propagate, log.handlers = False, [Intercept()]
    log.warning("x")
    assert found(recorder, "scope_name", "body") == ("intercepted", "x")


def test_without_loguru_installing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "loguru", None)
    with pytest.raises(MissingDependencyError, match=r"fapilog\.bridges\.loguru needs the package loguru"):
        bridge.install()


class InterceptHandler(logging.Handler):
    """As in loguru's documentation, "Entirely compatible with standard logging"."""

    def emit(self, record: logging.LogRecord) -> None:
        # Get corresponding Loguru level if it exists.
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno

        # Find caller from where originated the logged message.
        frame, depth = inspect.currentframe(), 0
        while frame:
            filename = frame.f_code.co_filename
            is_logging = filename == logging.__file__
            is_frozen = "importlib" in filename and "_bootstrap" in filename
            if depth > 0 and not (is_logging or is_frozen):
                break
            frame = frame.f_back
            depth += 1

        logger.opt(depth=depth, exception=record.exc_info).log(level, record.getMessage())


def test_a_record_of_logging_that_is_intercepted_arrives_once(recorder):
    written = []
    logger.add(written.append, format="{message}")
    with bare_logging(logging.INFO) as root:
        remove = stdlib.install(recorder.provider.handle)
        root.addHandler(InterceptHandler())
        log = logging.getLogger("shop")
        for number in range(2):
            log.info("order %d", number, extra={"k": number})
        logger.info("of loguru")
        remove()
    assert [(one.scope_name, one.body, one.attributes) for one in recorder.records] == [
        ("shop", "order 0", {"k": 0}),
        ("shop", "order 1", {"k": 1}),
        (NAME, "of loguru", {}),
    ]
    assert [str(one) for one in written] == ["order 0\n", "order 1\n", "of loguru\n"]


def test_without_the_bridge_of_logging_an_intercepted_record_comes_from_loguru(recorder):
    with bare_logging(logging.INFO) as root:
        root.addHandler(InterceptHandler())
        logging.getLogger("shop").info("order")
    assert found(recorder, "scope_name", "body") == (NAME, "order")


def test_what_a_handler_says_of_its_own_is_recorded_beside_the_record(recorder):
    class Talkative(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            logger.warning("of the handler")

    with bare_logging(logging.INFO) as root:
        remove = stdlib.install(recorder.provider.handle)
        root.addHandler(Talkative())
        logging.getLogger("shop").info("order")
        remove()
    assert [one.body for one in recorder.records] == ["order", "of the handler"]


def test_an_intercepted_record_that_went_to_another_pipeline_is_taken(recorder):
    with bare_logging(logging.INFO) as root, Recorder() as other:
        remove = stdlib.install(other.provider.handle)
        root.addHandler(InterceptHandler())
        logging.getLogger("shop").info("order")
        remove()
        assert (other.only.scope_name, recorder.only.body) == ("shop", "order")
