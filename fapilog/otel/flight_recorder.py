"""Stage 4 of 7, append: tells the flight recorder when a trace begins, ends and fails. Thread: caller.

Only the SDK's spans tell that. It is imported when the recorder is on: the module of the SDK raises for some
values of variables, and logs must survive that.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from fapilog.diagnostics import say, shown_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from fapilog.otel.outlet import Outlet
    from fapilog.otel.processor import FapilogLogRecordProcessor
    from fapilog.otel.provider import LoggerProvider

_EXCEPTION_EVENT = "exception"


class FlightRecorderSpanProcessor(SpanProcessor):
    """Lets a provider's flight recorder know how requests end.

    A request is a local root span: one without a parent in this process. When it ends with an error, with an
    exception, or after more than `flight_recorder.slow_millis`, what was kept of its trace is exported;
    otherwise it is forgotten, once no other local root span of the trace is under way.

    `configure_otel()` adds one to the tracer provider of the process. Add your own where you make providers
    yourself. The provider is held weakly.

    Args:
        provider: Whose recorder is told.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from fapilog import LoggerProvider, Settings
        >>> settings = Settings(flight_recorder={"enabled": True})
        >>> with LoggerProvider(settings=settings, exporters=["none"]) as provider:
        ...     TracerProvider().add_span_processor(FlightRecorderSpanProcessor(provider))
    """

    def __init__(self, provider: LoggerProvider | FapilogLogRecordProcessor) -> None:
        self._outlet: Callable[[], Outlet | None] = weakref.ref(provider.outlet)
        slow = provider.settings.flight_recorder.slow_millis
        self._slow_nanos = None if slow is None else slow * 1_000_000

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Note the begin of a request."""
        outlet = self._outlet()
        context = span.get_span_context()
        if outlet is None or context is None or not _is_local_root(span):
            return
        try:
            for pipeline in outlet.pipelines:
                pipeline.trace_began(context.trace_id)
        except Exception as error:
            _failed(error)

    def on_end(self, span: ReadableSpan) -> None:
        """Export what was kept of a request that failed, and forget it otherwise."""
        outlet = self._outlet()
        context = span.get_span_context()
        if outlet is None or context is None or not _is_local_root(span):
            return
        try:
            reason = self._reason(span)
            for pipeline in outlet.pipelines:
                pipeline.trace_ended(context.trace_id, reason)
        except Exception as error:
            _failed(error)

    def _reason(self, span: ReadableSpan) -> str | None:
        """Why the request's records are exported; None: they are not."""
        if span.status.status_code is StatusCode.ERROR:
            return "failed"
        if any(event.name == _EXCEPTION_EVENT for event in span.events):
            return "failed"
        begin, end = span.start_time, span.end_time
        if self._slow_nanos is None or begin is None or end is None:
            return None
        return "slow" if end - begin >= self._slow_nanos else None

    def shutdown(self) -> None:
        """Tell nobody anything any more."""
        self._outlet = _nobody

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing is held."""
        return True


def _nobody() -> None:
    return None


def _is_local_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote


def _failed(error: Exception) -> None:
    say("flight-recorder", f"the end of a span could not be read: {shown_error(error)}")
