"""Several log record processors in a row: no secret passes from one to another, in either direction."""

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)

from tests.unit.processing import Processor, recorder_with

SPAN = trace.SpanContext(0xA, 0xB, is_remote=False, trace_flags=trace.TraceFlags(1))
IN_SPAN = trace.set_span_in_context(trace.NonRecordingSpan(SPAN), Context())


def leak(readable):
    readable.log_record.attributes["password"] = "hunter2"
    readable.log_record.attributes["url"] = "https://u:hunter2@x/"
    readable.log_record.body = {"token": "hunter2", "was": readable.log_record.body}


REDACTED_LEAK = {"password": "[REDACTED:secret]", "url": "https://REDACTED:REDACTED@x/"}


def test_what_a_processor_adds_is_redacted_and_limited_before_the_next_one_sees_it():
    def leak_again(readable):
        readable.log_record.attributes["secret"] = "hunter3"
        readable.log_record.attributes["long"] = "123456789"

    third = Processor()
    after = (Processor(leak_again), third)
    limits = {"attribute_value_length": 30, "attribute_count": 4}
    with recorder_with(Processor(leak), *after, limits=limits) as recorder:
        recorder.logger().info("m", a=1)
        assert recorder.only.attributes == {"a": 1, **REDACTED_LEAK, "secret": "[REDACTED:secret]"}
        assert recorder.only.dropped_attributes_count == 1
    seen = third.seen[0]
    assert dict(seen.log_record.attributes) == recorder.only.attributes
    assert seen.log_record.body == {"token": "[REDACTED:secret]", "was": "m"}
    assert seen.dropped_attributes == 1


def test_a_record_keeps_its_context_and_its_kind_when_it_comes_back_from_redaction():
    with recorder_with(Processor(leak), last := Processor()) as recorder:
        recorder.provider.get_logger("shop").emit(body="m", context=IN_SPAN, timestamp=5)
    record = last.seen[0].log_record
    assert (type(record), record.context, record.trace_id) == (LogRecord, IN_SPAN, 0xA)
    assert (record.timestamp, record.severity_number, record.event_name) == (5, None, None)
    assert isinstance(record.attributes, BoundedAttributes)


def test_what_a_processor_left_on_the_record_may_hold_itself_many_times():
    state = {}
    state.update(one=state, other=state)

    def remember(readable):
        readable.log_record.state = state

    with recorder_with(Processor(remember), Processor(), last := Processor()) as recorder:
        recorder.logger().info("m", a=1)
        assert recorder.only.attributes == {"a": 1}
    assert last.seen[0].log_record.state is state


@pytest.mark.parametrize("stock", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
@pytest.mark.parametrize("first", [True, False])
def test_a_stock_exporter_gets_no_secret_from_a_processor_before_or_after_it(stock, first):
    exporter = InMemoryLogRecordExporter()
    leaking, exporting = Processor(leak), stock(exporter)
    order = (exporting, leaking) if first else (leaking, exporting)
    with recorder_with(*order) as recorder:
        recorder.logger().info("m", nested={"k": "v"})
        recorder.logger().info("m")
        assert recorder.provider.force_flush()
    assert "hunter2" not in repr([readable.to_json() for readable in exporter.get_finished_logs()])
    assert len(exporter.get_finished_logs()) == 2


def test_a_processor_that_kept_values_does_not_see_what_later_ones_do_to_them():
    kept = []

    def keep(readable):
        kept.append((readable.log_record.attributes, readable.log_record.body))

    def change(readable):
        readable.log_record.body["list"].append("password")
        readable.log_record.attributes["password"] = "hunter2"

    with recorder_with(Processor(keep), Processor(change), Processor(keep)) as recorder:
        recorder.provider.get_logger("shop").emit(body={"list": []}, attributes={"a": (1, {"b": 2})})
    (before, body_before), (after, body_after) = kept
    assert (dict(before), body_before) == ({"a": (1, {"b": 2})}, {"list": []})
    assert dict(after) == {"a": (1, {"b": 2}), "password": "[REDACTED:secret]"}
    assert body_after == {"list": ["password"]}
