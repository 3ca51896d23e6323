"""Stage 1 of 7, emit: a logger of the OpenTelemetry API over native capture. Thread: caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import Logger as ApiLogger
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native
from fapilog.diagnostics import say
from fapilog.otel.processors import ProcessorChain
from fapilog.values import valid_text


def _context(record: LogRecord) -> Context | None:
    """The record's context, or one with the record's own ids where they were set without it (deprecated)."""
    trace_id: int = getattr(record, "trace_id", None) or 0
    if not trace_id:
        return record.context
    span = trace.get_current_span(record.context).get_span_context()
    if span.trace_id == trace_id and span.span_id == record.span_id:
        return record.context
    flags = trace.TraceFlags(record.trace_flags or 0)
    own = trace.SpanContext(trace_id, record.span_id or 0, is_remote=False, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(own), record.context)


def _corrected(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record, those of a wrong type left out or made text."""
    number = fields["severity_number"]
    return {
        **fields,
        "severity_number": number if isinstance(number, int) and 0 <= number <= 24 else 0,
        "severity_text": valid_text(fields["severity_text"]),
        "time_unix_nano": _uint64(fields["time_unix_nano"]),
        "observed_time_unix_nano": _uint64(fields["observed_time_unix_nano"]),
        "event_name": valid_text(fields["event_name"]),
    }


def _uint64(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**64 else None


class OtelLogger(ApiLogger):
    """A logger of the OpenTelemetry API whose records go through native capture. Never raises."""

    def __init__(
        self,
        handle: _native.PipelineHandle,
        scope: InstrumentationScope,
        chain: ProcessorChain,
        outlet: object,
    ) -> None:
        super().__init__(scope.name, scope.version, scope.schema_url, scope.attributes)
        self.instrumentation_scope = scope
        self._handle = handle
        self._chain = chain
        # Exporters written in Python deliver as long as somebody can log to them.
        self._outlet = outlet
        self._native = _native.Logger(
            handle,
            scope.name,
            version=scope.version or "",
            schema_url=scope.schema_url or "",
            scope_attributes=dict(scope.attributes) if scope.attributes else None,
        )

    def emit(  # noqa: PLR0913 - the OpenTelemetry API's signature
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: Any = None,
        attributes: Mapping[str, Any] | None = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Emit one record, given as a `LogRecord` or field by field (OTel API, both forms).

        A field of the wrong type is left out, or becomes text; the record is kept.
        """
        try:
            if record is not None:
                timestamp, observed_timestamp = record.timestamp, record.observed_timestamp
                context, severity_number = _context(record), record.severity_number
                severity_text, body, attributes = record.severity_text, record.body, record.attributes
                event_name, exception = record.event_name, record.exception
            fields: dict[str, Any] = {
                "body": body,
                "severity_number": getattr(severity_number, "value", severity_number) or 0,
                "severity_text": severity_text or "",
                "time_unix_nano": timestamp,
                "observed_time_unix_nano": observed_timestamp,
                "attributes": attributes,
                "event_name": event_name,
                "context": context,
                "exception": exception,
            }
            self._emit(fields)
        except Exception as error:
            what = f"a record of logger {self._name!r} is not one of OpenTelemetry's: {error}"
            say("otel-record-lost", what, self._name)

    def _emit(self, fields: dict[str, Any]) -> None:
        try:
            self._native.emit_record(**fields)
        except Exception:
            # Raised while the arguments were read, so nothing was emitted yet.
            self._native.emit_record(**_corrected(fields))

    def enabled(
        self,
        *,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Tell whether such a record would be kept now and go anywhere; asking is optional, and cheap.

        False when the logger is disabled, the severity is below its threshold, a trace-based rule meets an
        unsampled span, or no exporter exists and no processor wants it (OTel logs SDK, Enabled).
        """
        try:
            number: Any = getattr(severity_number, "value", severity_number)
            if not self._native.is_enabled_for(number or 0, context):
                return False
            native = self._handle.pipeline
            if native is not None and native.has_destinations():
                return True
            return self._chain.enabled(context, self.instrumentation_scope, severity_number, event_name)
        except Exception:
            # A wrong argument must not cost a record.
            return True

    def configure(self, enabled: bool, minimum_severity: int, trace_based: bool) -> None:
        """Restrict this logger as a `LoggerConfig` of the SDK says, beside the rules of its provider."""
        self._native.configure(enabled, minimum_severity, trace_based)
