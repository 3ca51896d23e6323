"""Records of every shape, and ways to run them through plugins: what the conformance suites share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog.batch import LogBatch
from fapilog.ledger import Ledger
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import Settings


def sample_records(count: int = 3, later_nanos: int = 0) -> list[ReadableLogRecord]:
    """Return records of every shape: all kinds of values, with and without span, severity, event name.

    Args:
        count: How many.
        later_nanos: Added to their times, so that they are not those of another call.
    """
    span = trace.NonRecordingSpan(trace.SpanContext(2**127 + 1, 2**63 + 1, False, trace.TraceFlags(1)))
    in_span = trace.set_span_in_context(span, Context())
    shapes: list[LogRecord] = [
        LogRecord(
            timestamp=1_700_000_000_123_456_789 + later_nanos,
            observed_timestamp=1_700_000_000_123_456_790 + later_nanos,
            context=in_span,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body="stock is low: \u00fc \u4e2d \U0001f600 \x00 line\nbreak",
            attributes={"item": "tea", "left": 3, "ratio": 0.5, "ordered": False, "tags": ["a", "b"]},
        ),
        LogRecord(
            observed_timestamp=1_700_000_000_000_000_001 + later_nanos,
            context=trace.set_span_in_context(trace.INVALID_SPAN, Context()),
            severity_number=SeverityNumber.INFO,
            body={"nested": {"bytes": b"\x00\xff", "list": [1, None, {"deep": True}]}, "empty": ""},
            event_name="orders.placed",
        ),
        LogRecord(
            observed_timestamp=1_700_000_000_000_000_002 + later_nanos,
            context=trace.set_span_in_context(trace.INVALID_SPAN, Context()),
            attributes={"long": "x" * 10_000, "": "empty key", "big": 2**62},
        ),
    ]
    resource = Resource({"service.name": "conformance", "host.id": "1"})
    scopes = [
        InstrumentationScope("orders", "1.0"),
        InstrumentationScope("stock", None, None, {"kind": "db"}),
    ]
    return [
        ReadableLogRecord(shapes[number % len(shapes)], resource, scopes[number % len(scopes)])
        for number in range(count)
    ]


def sample_batch(count: int = 3, later_nanos: int = 0) -> LogBatch:
    """Return a batch of `sample_records`, as an exporter gets it."""
    with LoggerProvider(settings=Settings.load(environ={}), exporters=["none"]) as provider:
        return LogBatch.from_records(sample_records(count, later_nanos), provider.pipeline)


def through(
    exporter: Any, between: Callable[[LoggerProvider], object], *, flush: bool = True, **arguments: Any
) -> Ledger:
    """Log through a provider; after the first half of the records call `between`."""
    provider = LoggerProvider(settings=_settings(), exporters=[exporter], **arguments)
    try:
        logger = provider.get_logger("conformance")
        for number in range(10):
            logger.emit(body=f"record {number}", attributes={"number": number})
            if number == 4:
                between(provider)
        if flush:
            assert provider.force_flush(10_000), str(provider.ledger())
    finally:
        provider.shutdown()
    return provider.ledger()


def _settings(**changes: Any) -> Settings:
    buffer = {"schedule_delay_millis": 10, "shutdown_timeout_millis": 2_000}
    return Settings.load(environ={}, level="trace", buffer=buffer, **changes)
