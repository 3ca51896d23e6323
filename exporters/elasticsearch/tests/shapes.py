"""The record that the README shows, and what it becomes."""

import json
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import fapilog

SHAPES = ("otel", "ecs", "ss4o", "flat", "raw", "bodymap")


def the_batch() -> fapilog.LogBatch:
    """One record: an order was placed, in a span."""
    context = SpanContext(0x5B8EFFF798038103D269B633813FC60C, 0xEEE19B7EC3C1B174, False, TraceFlags(1))
    record = LogRecord(
        timestamp=1_795_219_200_000_000_000,
        observed_timestamp=1_795_219_200_000_001_500,
        context=set_span_in_context(NonRecordingSpan(context)),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body={"message": "order placed", "order": {"id": 42}},
        attributes={"user.id": "u-7"},
    )
    scope = InstrumentationScope("shop", "1.2")
    whole = ReadableLogRecord(record, Resource({"service.name": "checkout"}), scope)
    settings = fapilog.Settings.load(environ={})
    with fapilog.LoggerProvider(settings=settings, exporters=["none"]) as provider:
        return fapilog.LogBatch.from_records([whole], provider.pipeline)


def becomes(shape: Any) -> dict[str, Any]:
    """The document in one shape."""
    found: dict[str, Any] = json.loads(the_batch().encode(shape))
    return found
