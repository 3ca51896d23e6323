"""Events become span events of the span in which they happened, and of no other."""

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.sdk.trace import TracerProvider

from fapilog import LoggerProvider
from fapilog.otel.span_events import EventToSpanEventBridge


@pytest.fixture
def logger():
    with LoggerProvider(exporters=["none"]) as provider:
        provider.add_log_record_processor(EventToSpanEventBridge())
        yield provider.get_logger("shop")


@pytest.fixture
def span():
    with TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("s") as current:
        yield current


def events(span) -> list[tuple]:
    return [(event.name, event.timestamp, dict(event.attributes)) for event in span.events]


def test_an_event_becomes_a_span_event_without_its_secrets(logger, span):
    attributes = {"order": 42, "password": "hunter2"}
    logger.emit(event_name="order.placed", timestamp=7, attributes=attributes)
    logger.emit(event_name="order.shipped", observed_timestamp=8)
    assert events(span) == [
        ("order.placed", 7, {"order": 42, "password": "[REDACTED:secret]"}),
        ("order.shipped", 8, {}),
    ]


def test_a_record_that_is_no_event_adds_nothing(logger, span):
    logger.emit(body="order placed")
    assert events(span) == []


def test_an_event_of_another_span_adds_nothing(logger, span):
    other = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(other))
    logger.emit(LogRecord(event_name="order.placed", context=context))
    assert events(span) == []


def test_without_a_span_nothing_happens(logger):
    logger.emit(event_name="order.placed")
