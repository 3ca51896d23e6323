"""Stock and hostile `LogRecordProcessor`s on our provider: what they see, change, and cannot break."""

import logging
import threading
import time

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

import fapilog
from fapilog import LoggerProvider, Settings, diagnostics
from fapilog.bridges import stdlib
from fapilog.testing import OtlpReceiver
from tests.unit.processing import Processor, recorder_with
from tests.unit.recording import NOW, Recorder, expected

SPAN = trace.SpanContext(0xA, 0xB, is_remote=False, trace_flags=trace.TraceFlags(1))
IN_SPAN = trace.set_span_in_context(trace.NonRecordingSpan(SPAN), Context())


def test_a_processor_sees_every_field_redacted_with_scope_resource_limits_and_context():
    processor = Processor()
    settings = Settings.load(environ={}, limits={"attribute_count": 9, "attribute_value_length": 5})
    resource = Resource({"service.name": "shop"})
    with LoggerProvider(resource, settings=settings, exporters=["none"]) as provider:
        provider.pipeline.fix_clock(NOW)
        provider.add_log_record_processor(processor)
        in_baggage = baggage.set_baggage("tenant", "acme", IN_SPAN)
        logger = provider.get_logger(
            "orders", "1.2", "https://u:p@example.org/", {"team": "a", "password": "p"}
        )
        logger.emit(
            timestamp=1,
            context=in_baggage,
            severity_number=SeverityNumber.WARN,
            severity_text="careful",
            body={"url": "https://u:p@x/", "all": [1, None]},
            attributes={"k": "long text", "password": "p", "b": b"1234567"},
            event_name="e",
        )
    [seen] = processor.seen
    assert isinstance(seen, ReadWriteLogRecord)
    record = seen.log_record
    assert (record.timestamp, record.observed_timestamp) == (1, NOW)
    assert (record.severity_number, record.severity_text) == (SeverityNumber.WARN, "careful")
    assert record.body == {"url": "https://REDACTED:REDACTED@x/", "all": [1, None]}
    assert dict(record.attributes) == {"k": "long ", "password": "[REDACTED:secret]", "b": b"12345"}
    assert (record.event_name, record.exception) == ("e", None)
    assert (record.trace_id, record.span_id, record.trace_flags) == (0xA, 0xB, trace.TraceFlags(1))
    assert baggage.get_baggage("tenant", record.context) == "acme"
    assert seen.resource is resource
    assert seen.instrumentation_scope == InstrumentationScope(
        "orders",
        "1.2",
        "https://REDACTED:REDACTED@example.org/",
        {"team": "a", "password": "[REDACTED:secret]"},
    )
    limits = seen.limits
    assert (limits.max_log_record_attributes, limits.max_log_record_attribute_length) == (9, 5)


def test_absent_fields_are_none_and_the_current_context_is_found():
    processor = Processor()
    with recorder_with(processor) as recorder, trace.use_span(trace.NonRecordingSpan(SPAN)):
        recorder.provider.get_logger("shop").emit()
        current = context.get_current()
    record = processor.seen[0].log_record
    absent = (record.timestamp, record.severity_number, record.severity_text, record.body, record.event_name)
    assert absent == (None, None, None, None, None)
    assert dict(record.attributes) == {}
    assert (record.context, record.trace_id) == (current, 0xA)


def test_a_record_that_nobody_changes_is_what_it_would_be_without_processors():
    def log_all(recorder):
        log = recorder.logger("shop", {"bound": 1})
        with trace.use_span(trace.NonRecordingSpan(SPAN)), fapilog.bind_context(request="r"):
            log.info("hello %s", "you", n=1, f=0.5, b=True, none=None, l=[1, ["x"]], d={"a": {"b": None}})
        log.error("m", exc_info=ValueError("v"), tags={"t": 1}, event_name="e", category="security")
        log.info({"body": [1, 2]}, big=2**70, raw=b"\xff", text="\ud800", **{f"a{i}": i for i in range(200)})
        log.warning("x" * 200_000)
        recorder.provider.get_logger("shop").emit(
            severity_number=SeverityNumber.FATAL4, severity_text="s" * 60
        )
        return recorder.records

    with Recorder() as plain, recorder_with(Processor()) as processed:
        assert log_all(processed) == log_all(plain)
        assert processed.provider.processor_failures == 0


def change_everything(readable):
    record = readable.log_record
    record.timestamp, record.observed_timestamp = 5, 6
    record.severity_number, record.severity_text = SeverityNumber.ERROR, "worse"
    record.body = ["other", {"password": "p"}]
    record.attributes["added"] = "https://u:p@x/"
    record.attributes["changed"] = 2
    del record.attributes["removed"]
    record.trace_id, record.span_id, record.trace_flags = 0xC, 0xD, trace.TraceFlags(0)
    record.event_name = "other"


CHANGED = expected(
    17,
    "worse",
    ["other", {"password": "[REDACTED:secret]"}],
    time_unix_nano=5,
    observed_time_unix_nano=6,
    attributes={"changed": 2, "added": "https://REDACTED:REDACTED@x/"},
    trace_id=f"{0xC:032x}",
    span_id=f"{0xD:016x}",
    event_name="other",
)


def doors(recorder):
    """Answer what each door of the provider logs by."""
    attributes = {"changed": 1, "removed": 1}
    api = recorder.provider.get_logger("shop")
    bridge = logging.Logger("shop")
    bridge.addHandler(stdlib.FapilogHandler(recorder.provider.handle))
    return {
        "a level method": lambda: recorder.logger().info("m", **attributes),
        "keywords of the API": lambda: api.emit(body="m", attributes=attributes),
        "a record of the API": lambda: api.emit(LogRecord(body="m", attributes=attributes)),
        "logging": lambda: bridge.info("m", extra=attributes),
    }


@pytest.mark.parametrize("door", ["a level method", "keywords of the API", "a record of the API", "logging"])
def test_every_field_can_be_changed_and_what_was_changed_is_redacted_again(door):
    with recorder_with(Processor(change_everything)) as recorder:
        doors(recorder)[door]()
        assert recorder.only == CHANGED


def test_the_console_and_the_receiver_get_the_changed_record(capsys):
    def change(readable):
        readable.log_record.body = "changed"

    with OtlpReceiver() as receiver:
        settings = Settings.load(
            environ={}, otlp={"endpoint": receiver.logs_endpoint}, console={"style": "minimal"}
        )
        with LoggerProvider(settings=settings, exporters=["otlp", "console"]) as provider:
            provider.add_log_record_processor(Processor(change))
            provider.get_logger("shop").emit(body="original")
            assert provider.force_flush()
            assert [record.body for record in receiver.log_records] == ["changed"]
    assert "changed" in capsys.readouterr().err


def test_processors_run_in_order_and_see_what_those_before_them_changed():
    def append(letter):
        def act(readable):
            readable.log_record.body += letter

        return act

    second, third = Processor(append("b")), Processor()
    with recorder_with(Processor(append("a")), second, third) as recorder:
        recorder.logger().info("")
        assert (recorder.only.body, third.seen[0].log_record.body) == ("ab", "ab")
    [kept], [seen] = second.seen, third.seen
    assert (kept.log_record.body, kept.log_record is seen.log_record) == ("ab", False)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.body["d"].update(e=1),
        lambda record: record.body["l"].append(1),
        lambda record: record.body.update(d=record.body.pop("d")),
        lambda record: record.attributes["m"].update(x=1),
        lambda record: record.attributes["t"][0].update(x=1),
        lambda record: record.attributes.update(one=True),
        lambda record: record.attributes.update(one=1.0),
        lambda record: record.attributes.update(t=record.attributes.pop("t")),
        lambda record: setattr(record, "attributes", {**record.attributes, "n": 1}),
        lambda record: setattr(record, "trace_flags", trace.TraceFlags(1)),
        lambda record: setattr(record.attributes, "dropped", 7),
    ],
)
def test_every_change_is_noticed_also_inside_of_a_value_or_of_the_order_alone(change):
    seen = []

    def act(readable):
        record = readable.log_record
        change(record)
        seen.append((record.body, dict(record.attributes), int(record.trace_flags), record.attributes))

    with recorder_with(Processor(act)) as recorder:
        recorder.provider.get_logger("shop").emit(
            body={"d": {}, "l": []}, attributes={"one": 1, "m": {}, "t": ({}, 2)}
        )
        [(body, attributes, flags, mapping)] = seen
        stored = recorder.only
        assert repr(stored.body) == repr(body)
        assert list(stored.attributes) == list(attributes)
        assert repr(stored.attributes["one"]) == repr(attributes["one"])
        assert (stored.attributes["m"], list(stored.attributes["t"])) == (
            attributes["m"],
            list(attributes["t"]),
        )
        assert (stored.flags, stored.dropped_attributes_count) == (flags, getattr(mapping, "dropped", 0))


def test_a_value_in_a_circle_that_a_processor_hangs_on_the_record_ends_nothing():
    def hang(readable):
        circle = []
        circle.append(circle)
        readable.log_record.circle = circle
        readable.log_record.attributes["seen"] = 1

    with recorder_with(Processor(hang), last := Processor()) as recorder:
        recorder.logger().info("m")
        assert recorder.only.attributes == {"seen": 1}
        assert dict(last.seen[0].log_record.attributes) == {"seen": 1}
        assert recorder.provider.processor_failures == 0


@pytest.mark.parametrize("name", ["attributes", "body", "trace_id"])
def test_a_record_without_one_of_its_fields_goes_on_as_it_was(name):
    def delete(readable):
        delattr(readable.log_record, name)

    with recorder_with(Processor(delete), last := Processor()) as recorder:
        recorder.logger().info("m", a=1)
        assert recorder.only == expected(9, "INFO", "m", attributes={"a": 1})
        assert recorder.provider.processor_failures == 1
    assert (last.seen[0].log_record.body, dict(last.seen[0].log_record.attributes)) == ("m", {"a": 1})


def test_over_the_limit_the_attribute_being_added_is_left_out_and_counted():
    def add(readable):
        readable.log_record.attributes["c"] = 3
        readable.log_record.attributes["d"] = 4

    with recorder_with(Processor(add), limits={"attribute_count": 3}) as recorder:
        recorder.logger().info("m", a=1, b=2)
        recorder.logger().info("m", a=1, b=2, x=3, y=4)
        first, second = recorder.records
    assert (list(first.attributes), first.dropped_attributes_count) == (["a", "b", "c"], 1)
    assert (list(second.attributes), second.dropped_attributes_count) == (["a", "b", "x"], 3)


def test_a_processor_may_put_other_attributes_in_the_place_of_the_old_ones():
    def replace(readable):
        readable.log_record.attributes = readable.log_record.body

    with recorder_with(Processor(replace)) as recorder:
        for attributes in (None, {}, {"a": 1}):
            recorder.provider.get_logger("shop").emit(body=attributes, attributes={"old": 1})
        recorder.provider.get_logger("shop").emit(body=[1], attributes={"old": 1})
        assert [record.attributes for record in recorder.records] == [{}, {}, {"a": 1}, {"old": 1}]


def test_a_bounded_mapping_brings_the_number_it_dropped():
    def bound(readable):
        readable.log_record.attributes = BoundedAttributes(1, dict.fromkeys("abc", 1), immutable=False)

    with recorder_with(Processor(bound)) as recorder:
        recorder.logger().info("m")
        assert (recorder.only.attributes, recorder.only.dropped_attributes_count) == ({"c": 1}, 2)


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("error", [ValueError("broken"), RecursionError(), UnprintableError(), MemoryError()])
def test_an_exception_is_said_counted_and_told_and_the_record_goes_on(error, capsys):
    diagnostics._voice.forget()
    told = []

    def fail(readable):
        readable.log_record.attributes["before"] = 1
        raise error

    last = Processor()
    with fapilog.configure_otel("shop", exporters=["none"], on_error=told.append) as telemetry:
        telemetry.logger_provider.add_log_record_processor(Processor(fail))
        telemetry.logger_provider.add_log_record_processor(last)
        for _ in range(3):
            fapilog.get_logger("shop").info("m")
        assert telemetry.logger_provider.processor_failures == 3
        assert telemetry.ledger().accepted == 3
    assert [dict(seen.log_record.attributes)["before"] for seen in last.seen] == [1, 1, 1]
    assert [one.code for one in told] == ["processor-failed"]
    said = [line for line in capsys.readouterr().err.splitlines() if "processor-failed" in line]
    assert len(said) == 1
    assert said[0].startswith(f"fapilog: Processor.on_emit raised {type(error).__name__}: ")


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_reaches_the_application_after_the_record_is_stored(interrupt):
    def change(readable):
        readable.log_record.body = "changed"

    def stop(_):
        raise interrupt

    never = Processor()
    with recorder_with(Processor(change), Processor(stop), never) as recorder:
        with pytest.raises(interrupt):
            recorder.logger().info("m")
        assert (recorder.only.body, never.seen) == ("changed", [])


class NoNumber:
    value = "high"


@pytest.mark.parametrize(
    ("field", "garbage", "kept"),
    [
        ("timestamp", "now", {"time_unix_nano": 0}),
        ("timestamp", 2**64, {"time_unix_nano": 0}),
        ("observed_timestamp", object(), {"observed_time_unix_nano": NOW}),
        ("severity_number", 99, {"severity_number": 0}),
        ("severity_number", NoNumber(), {"severity_number": 0}),
        ("severity_text", 7, {"severity_text": "7"}),
        ("severity_text", "x" * 99, {"severity_text": "x" * 99}),
        ("event_name", 7, {"event_name": "7"}),
        ("trace_id", "id", {}),
        ("span_id", -1, {}),
        ("trace_flags", None, {}),
    ],
)
def test_garbage_in_a_field_costs_that_field_only(field, garbage, kept):
    from dataclasses import replace

    with recorder_with(Processor(lambda readable: setattr(readable.log_record, field, garbage))) as recorder:
        recorder.logger().info("m", a=1)
        assert recorder.only == replace(expected(9, "INFO", "m", attributes={"a": 1}), **kept)


def test_a_record_taken_away_goes_on_as_it_was():
    def take_away(readable):
        readable.log_record = None

    with recorder_with(Processor(take_away), Processor()) as recorder:
        recorder.logger().info("m")
        assert recorder.only == expected(9, "INFO", "m")
        assert recorder.provider.processor_failures == 1


def test_ids_of_a_trace_alone_are_kept_and_a_span_without_a_trace_is_not():
    def ids(readable):
        record = readable.log_record
        record.trace_id, record.span_id = record.body

    with recorder_with(Processor(ids)) as recorder:
        logger = recorder.provider.get_logger("shop")
        for body in ([1, 0], [0, 1], [1, 1]):
            logger.emit(body=body)
        found = [(record.trace_id, record.span_id) for record in recorder.records]
    one, span = f"{1:032x}", f"{1:016x}"
    assert found == [(one, ""), ("", ""), (one, span)]


def test_a_processor_that_logs_ends():
    with Recorder() as recorder, Recorder() as other:
        log, elsewhere = recorder.logger(), other.logger()

        def log_back(readable):
            log.info(f"back: {readable.log_record.body}")

        def log_on(readable):
            log.info(f"about {readable.log_record.body}")
            elsewhere.info(f"for {readable.log_record.body}")

        processor = Processor(log_on)
        recorder.provider.add_log_record_processor(processor)
        other.provider.add_log_record_processor(Processor(log_back))
        log.info("m")
        assert [record.body for record in recorder.records] == ["about m", "back: for m", "m"]
        assert [record.body for record in other.records] == ["for m"]
        assert len(processor.seen) == 1


def test_processors_of_threads_do_not_disturb_each_other():
    def act(readable):
        time.sleep(0)
        readable.log_record.attributes["seen"] = readable.log_record.body

    with recorder_with(Processor(act)) as recorder:
        log = recorder.logger()
        threads = [
            threading.Thread(target=lambda n=n: [log.info(f"{n}-{i}") for i in range(200)]) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(recorder.records) == 800
        assert [r for r in recorder.records if r.attributes != {"seen": r.body}] == []


def test_providers_share_no_processor():
    mine, yours = Processor(), Processor()
    with recorder_with(mine) as first, recorder_with(yours) as second, Recorder() as third:
        for recorder in (first, second, third):
            recorder.provider.get_logger("shop").emit(body=id(recorder))
        assert [seen.log_record.body for seen in mine.seen + yours.seen] == [id(first), id(second)]


def test_records_under_wait_pass_the_processors():
    def change(readable):
        readable.log_record.body = "changed"

    with recorder_with(Processor(change), buffer={"overflow": "wait"}) as recorder:
        recorder.logger().info("m")
        assert recorder.only.body == "changed"
