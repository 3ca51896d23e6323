"""Stage 1 of 7, emit: a logger of the OpenTelemetry API over native capture. Thread: caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry._logs import Logger as ApiLogger
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native
from fapilog.otel.processors import ProcessorChain


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
            api=True,
        )
        # Found before the method of the class: Python code between the call and native capture costs more
        # than the whole record does.
        self.emit = self._native.emit_api  # type: ignore[method-assign]

    @property
    def resource(self) -> Resource:
        """The resource of the provider, as it is now."""
        return self._chain.resource

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

        A field of a wrong type is left out, or becomes text; the record is kept. Instances have the native
        function in the place of this one.
        """
        if record is not None:
            return self._native.emit_api(record)
        return self._native.emit_api(
            timestamp=timestamp,
            observed_timestamp=observed_timestamp,
            context=context,
            severity_number=severity_number,
            severity_text=severity_text,
            body=body,
            attributes=attributes,
            event_name=event_name,
            exception=exception,
        )

    def enabled(
        self,
        *,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Tell whether such a record would be kept now and go anywhere.

        Asking is optional, and cheap; the answer may change from call to call.
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
