"""Stage 1 of 7, emit: events become span events too, for tools that read those. Thread: caller."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord


class EventToSpanEventBridge(LogRecordProcessor):
    """Adds each event as a span event to the span in which it happened; the record goes on as it is.

    An event is a record with an event name. Its own ids must be those of the current span, which must be
    recording (OTel logs SDK, event to span event bridge; Development). The span event has the event's name,
    its time or else the time it was seen, and its attributes, limited and without secrets.

    Example:
        >>> from fapilog import LoggerProvider
        >>> provider = LoggerProvider(exporters=["none"])
        >>> provider.add_log_record_processor(EventToSpanEventBridge())
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Look at one record."""
        record: Any = log_record.log_record
        if not record.event_name or not record.trace_id or not record.span_id:
            return
        span = trace.get_current_span(record.context)
        own = span.get_span_context()
        if span.is_recording() and (own.trace_id, own.span_id) == (record.trace_id, record.span_id):
            time = record.timestamp or record.observed_timestamp
            span.add_event(record.event_name, dict(record.attributes or {}), time)

    def shutdown(self) -> None:
        """Nothing to end."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing is held."""
        return True
