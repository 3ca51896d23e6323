"""Events of structlog come through whole; the real library makes them."""

import io
import logging
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from fapilog import bind_context, diagnostics
from fapilog.bridges import stdlib
from fapilog.bridges.structlog import FapilogProcessor
from fapilog.errors import MissingDependencyError
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.recording import Recorder, expected


@pytest.fixture
def recorder():
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def defaults():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logger_with(recorder, *before, after=(), pass_through=False, **changes):
    processor = FapilogProcessor(recorder.provider.handle, pass_through=pass_through)
    structlog.configure(processors=[*before, processor, *after], **changes)
    return structlog.get_logger()


def event(number, text, body, **fields):
    """Answer the record that an event should become."""
    return expected(number, text, body, **({"scope_name": "structlog", "time_unix_nano": 0} | fields))


@pytest.mark.parametrize(
    ("method", "number", "text"),
    [
        ("debug", 5, "DEBUG"),
        ("info", 9, "INFO"),
        ("msg", 9, "INFO"),
        ("warning", 13, "WARN"),
        ("warn", 13, "WARN"),
        ("error", 17, "ERROR"),
        ("critical", 21, "FATAL"),
        ("fatal", 21, "FATAL"),
    ],
)
def test_the_method_gives_the_severity(recorder, method, number, text):
    getattr(logger_with(recorder), method)("order placed", order_id=42, password="p")
    attributes = {"order_id": 42, "password": "[REDACTED:secret]"}
    assert recorder.only == event(number, text, "order placed", attributes=attributes)


def test_the_level_that_a_processor_wrote_wins(recorder):
    def notice(_logger, _method, event_dict):
        return event_dict | {"level": "notice", "level_number": 25}

    logger_with(recorder, notice).info("x")
    assert recorder.only == event(10, "INFO2", "x")


def test_an_unknown_level_goes_by_its_number_or_counts_as_info():
    with Recorder(severity_text="source") as recorder:
        log = logger_with(recorder, lambda _l, _m, event_dict: event_dict)
        log.info("a", level="loud", level_number=45)
        log.info("b", level="loud")
        found = [(one.severity_number, one.severity_text) for one in recorder.records]
    assert found == [(20, "loud"), (9, "loud")]


def test_as_the_last_processor_it_ends_the_event(recorder, capsys):
    assert logger_with(recorder).info("x") is None
    assert (recorder.only.body, capsys.readouterr().out) == ("x", "")


def test_in_the_middle_it_lets_the_event_go_on_unchanged(recorder, capsys):
    log = logger_with(recorder, after=[structlog.processors.JSONRenderer()], pass_through=True)
    log.info("x", a=1)
    assert (recorder.only, capsys.readouterr().out) == (
        event(9, "INFO", "x", attributes={"a": 1}),
        '{"a": 1, "event": "x"}\n',
    )


def test_context_variables_and_bound_values_are_attributes_and_the_call_wins(recorder):
    structlog.contextvars.bind_contextvars(request_id="r-1", a="context")
    with bind_context(tenant="acme"):
        logger_with(recorder).bind(b="bound").info("x", a="call")
    attributes = {"b": "bound", "a": "call", "request_id": "r-1", "tenant": "acme"}
    assert recorder.only == event(9, "INFO", "x", attributes=attributes)


def test_the_span_is_on_the_record(recorder):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s") as span:
        logger_with(recorder).info("x")
    assert recorder.only.span_id == trace.format_span_id(span.get_span_context().span_id)


def test_the_logger_s_name_is_the_scope(recorder):
    structlog.configure(
        processors=[structlog.stdlib.add_logger_name, FapilogProcessor(recorder.provider.handle)],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    structlog.get_logger("shop").info("added")
    structlog.configure(processors=[FapilogProcessor(recorder.provider.handle)])
    structlog.get_logger("shop").info("asked")
    assert recorder.records == [event(9, "INFO", body, scope_name="shop") for body in ("added", "asked")]


@pytest.mark.parametrize("exc_info", [True, "instance", "tuple", None])
def test_an_exception_is_described_whole(recorder, exc_info):
    log = logger_with(recorder)
    try:
        raise FileNotFoundError(2, "No such file")
    except FileNotFoundError as error:
        forms = {"instance": error, "tuple": sys.exc_info(), True: True}
        if exc_info is None:
            log.exception("failed")
        else:
            log.error("failed", exc_info=forms[exc_info])
    attributes = recorder.only.attributes
    assert attributes.pop("exception.stacktrace").endswith("FileNotFoundError: [Errno 2] No such file\n")
    assert (recorder.only.severity_number, attributes) == (
        17,
        {"exception.type": "FileNotFoundError", "exception.message": "[Errno 2] No such file"},
    )


def test_what_other_processors_rendered_is_kept(recorder):
    log = logger_with(
        recorder, structlog.processors.StackInfoRenderer(), structlog.processors.format_exc_info
    )
    try:
        raise ValueError("v")
    except ValueError:
        log.error("failed", exc_info=True, stack_info=True)
    attributes = recorder.only.attributes
    assert sorted(attributes) == ["code.stacktrace", "exception.stacktrace"]
    assert attributes["exception.stacktrace"].endswith("ValueError: v")
    assert attributes["code.stacktrace"].startswith("Stack (most recent call last)")


def test_a_structured_traceback_stays_an_attribute(recorder):
    log = logger_with(recorder, structlog.processors.dict_tracebacks)
    try:
        raise ValueError("v")
    except ValueError:
        log.exception("failed")
    assert recorder.only.attributes["exception"][0]["exc_value"] == "v"


@pytest.mark.parametrize(
    ("timestamp", "nanos", "attributes"),
    [
        (1_600_000_000.25, 1_600_000_000_250_000_000, {}),
        ("2020-09-13T12:26:40.250000Z", 1_600_000_000_250_000_000, {}),
        ("2020-09-13T14:26:40.25+02:00", 1_600_000_000_250_000_000, {}),
        (datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC), 1_600_000_000_000_000_000, {}),
        ("12:26", 0, {"timestamp": "12:26"}),
        (1_600_000_000, 0, {"timestamp": 1_600_000_000}),
        (-1.0, 0, {"timestamp": -1.0}),
        (None, 0, {"timestamp": None}),
    ],
    ids=str,
)
def test_a_timestamp_is_the_time_of_the_record_or_stays_an_attribute(recorder, timestamp, nanos, attributes):
    logger_with(recorder).info("x", timestamp=timestamp)
    assert recorder.only == event(9, "INFO", "x", time_unix_nano=nanos, attributes=attributes)


def test_the_time_stamper_of_structlog_is_understood(recorder):
    log = logger_with(recorder, structlog.processors.TimeStamper(fmt="iso", utc=True))
    before = datetime.now(UTC).timestamp()
    log.info("x")
    assert before - 1 <= recorder.only.time_unix_nano / 1e9 <= before + 60


def test_the_callsite_gets_its_names_of_the_semantic_conventions(recorder):
    adder = structlog.processors.CallsiteParameterAdder(
        {
            structlog.processors.CallsiteParameter.PATHNAME,
            structlog.processors.CallsiteParameter.LINENO,
            structlog.processors.CallsiteParameter.FUNC_NAME,
        }
    )
    logger_with(recorder, adder).info("x")
    found = recorder.only.attributes
    name = "test_the_callsite_gets_its_names_of_the_semantic_conventions"
    assert (found["code.file.path"], found["code.function.name"]) == (__file__, name)
    assert sorted(found) == ["code.file.path", "code.function.name", "code.line.number"]


def test_the_location_is_the_application_s():
    with Recorder(capture_location="auto") as recorder:
        log = logger_with(recorder)
        log.warning("x")
        log.info("quiet")
    first, quiet = recorder.records
    place = {
        "code.file.path": __file__,
        "code.function.name": f"{__name__}.test_the_location_is_the_application_s",
        "code.line.number": first.attributes["code.line.number"],
    }
    assert (first.attributes, quiet.attributes) == (place, {})


async def test_asynchronous_methods_keep_the_context(recorder):
    with bind_context(request_id="r-1"):
        await logger_with(recorder).ainfo("x")
    assert recorder.only == event(9, "INFO", "x", attributes={"request_id": "r-1"})


def test_event_names_and_bodies_of_any_type(recorder):
    log = logger_with(recorder)
    log.info({"order": 1}, **{"otel.event.name": "order.placed"})
    assert recorder.only == event(9, "INFO", {"order": 1}, event_name="order.placed")


def test_an_event_that_cannot_be_read_is_said_and_goes_on(recorder, capsys):
    diagnostics._voice.forget()
    processor = FapilogProcessor(recorder.provider.handle, pass_through=True)
    assert processor(None, "info", 7) == 7
    said = "fapilog: an event of structlog could not be read: AttributeError [structlog-record-lost]\n"
    assert (recorder.records, capsys.readouterr().err) == ([], said)


def test_an_interrupt_reaches_the_application(recorder):
    class Interrupts:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logger_with(recorder).info("x", value=Interrupts())
    assert recorder.only.body == "x"


def test_structlog_over_logging_is_taken_as_an_event_by_the_bridge():
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    with bare_logging(logging.INFO), Recorder() as recorder:
        remove = stdlib.install(recorder.provider.handle)
        structlog.get_logger("shop").info("order placed", order_id=42)
        remove()
        found = recorder.only
    assert (found.scope_name, found.body, found.attributes) == ("shop", "order placed", {"order_id": 42})


# As in structlog's documentation, "Standard Library Logging": rendering within structlog, within logging, and
# through a `ProcessorFormatter`; our processor stands before the last one.
OVER_LOGGING = {
    "rendered by structlog": structlog.processors.JSONRenderer(),
    "key-value": structlog.processors.KeyValueRenderer(key_order=["event"]),
    "rendered by logging": structlog.stdlib.render_to_log_kwargs,
    "formatter": structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
}


def over_logging(recorder, last, *more, wrapper_class=structlog.stdlib.BoundLogger, between=()):
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.UnicodeDecoder(),
            FapilogProcessor(recorder.provider.handle, pass_through=True),
            *between,
            last,
        ],
        wrapper_class=wrapper_class,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger("shop")


@pytest.fixture
def over(recorder):
    """The bridge of `logging` to the same pipeline, with a handler of the application's own on root."""
    written = io.StringIO()
    with bare_logging(logging.INFO) as root:
        root.addHandler(logging.StreamHandler(written))
        remove = stdlib.install(recorder.provider.handle)
        yield SimpleNamespace(recorder=recorder, written=written)
        remove()


WRAPPERS = {
    "stdlib": structlog.stdlib.BoundLogger,
    "filtering": structlog.make_filtering_bound_logger(logging.INFO),
    "plain": structlog.BoundLogger,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("last", OVER_LOGGING)
def test_an_event_that_passes_through_to_logging_arrives_once_and_is_written_once(over, last, wrapper):
    log = over_logging(over.recorder, OVER_LOGGING[last], wrapper_class=WRAPPERS[wrapper])
    for number in range(3):
        log.info("order placed", number=number)
    expected_records = [("shop", "order placed", {"number": number}) for number in range(3)]
    found = [(one.scope_name, one.body, one.attributes) for one in over.recorder.records]
    assert (found, over.written.getvalue().count("order placed")) == (expected_records, 3)


async def test_an_asynchronous_event_that_passes_through_arrives_once(over):
    log = over_logging(over.recorder, OVER_LOGGING["rendered by structlog"])
    await log.ainfo("order placed")
    names = [one.scope_name for one in over.recorder.records]
    # At TRACE the event loop speaks, too.
    found = [name for name in names if name != "asyncio"]
    assert (found, over.written.getvalue().count("order placed")) == (["shop"], 1)


def test_what_others_log_is_not_taken_for_an_event_that_passed_through(over):
    def talkative(_logger, _method, event_dict):
        logging.getLogger("shop").warning("from a processor")
        return event_dict

    log = over_logging(over.recorder, OVER_LOGGING["rendered by structlog"], between=[talkative])
    log.info("event")
    logging.getLogger("shop").info("plain")
    assert [one.body for one in over.recorder.records] == ["event", "from a processor", "plain"]


def test_an_event_that_a_later_processor_drops_does_not_cost_the_next_record(over):
    def dropping(_logger, _method, _event_dict):
        raise structlog.DropEvent

    log = over_logging(over.recorder, OVER_LOGGING["rendered by structlog"], between=[dropping])
    for number in range(3):
        log.info("event")
        logging.getLogger("shop").info("plain %d", number)
    bodies = [one.body for one in over.recorder.records]
    assert bodies == ["event", "plain 0", "event", "plain 1", "event", "plain 2"]


def test_an_event_that_goes_to_another_pipeline_is_recorded_by_both(over):
    with Recorder() as other:
        over_logging(other, OVER_LOGGING["rendered by structlog"]).info("x")
        assert (len(other.records), len(over.recorder.records)) == (1, 1)


def test_without_a_handle_events_go_to_the_pipeline_of_the_process(configure):
    telemetry = configure()
    structlog.configure(processors=[FapilogProcessor()])
    structlog.get_logger().info("x")
    assert telemetry.ledger().accepted == 1


def test_without_structlog_the_processor_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "structlog", None)
    with pytest.raises(
        MissingDependencyError, match=r"fapilog\.bridges\.structlog needs the package structlog"
    ):
        FapilogProcessor()
