"""Lets the flight recorder's records of a request leave when it failed or was slow. Thread: caller.

The recorder keeps debug records by trace (`flight_recorder` of fapilog's settings), and an ERROR of the trace
lets them out, which an access record may be. Here they leave also where there is none: access records are off
or left out, the status is one that counts as a failure for this application, or the request was slow.
"""

from __future__ import annotations

from opentelemetry import trace

from fapilog import export_recorded
from fapilog_instrumentation_fastapi.access import is_disconnect
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.plan import Plan


def attach(plan: Plan) -> None:
    """Look at the end of each request."""
    release = Release(plan)
    (plan.on_response if release.is_for_successes else plan.on_unusual).append(release)


class Release:
    """Lets the records of failed requests out.

    Args:
        plan: Of the application.

    Attributes:
        is_for_successes: Whether settings name a status below 400.
    """

    def __init__(self, plan: Plan) -> None:
        given = plan.settings.watch.recorder_statuses
        self._statuses = frozenset(
            status
            for each in given
            for status in (
                range(int(each[0]) * 100, int(each[0]) * 100 + 100) if "x" in each else (int(each),)
            )
        )
        self._plan = plan
        self.is_for_successes = any(status < 400 for status in self._statuses)

    def __call__(self, exchange: Exchange) -> None:
        """Let them out, if the request is one that they should be kept of."""
        error = exchange.error
        failed = error is not None and isinstance(error, Exception) and not is_disconnect(error)
        if failed or exchange.status in self._statuses or _is_slow(exchange):
            trace_id = trace.get_current_span(exchange.context).get_span_context().trace_id
            if trace_id:
                self._let_out(trace_id)

    def _let_out(self, trace_id: int) -> None:
        provider = self._plan.logger_provider
        if provider is not None:
            provider.export_recorded(trace_id)
        else:
            export_recorded(trace_id)


def _is_slow(exchange: Exchange) -> bool:
    return exchange.seconds is not None and exchange.seconds >= exchange.options.slow_seconds
