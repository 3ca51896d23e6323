"""Baggage leaves the process without entries in which something is hidden."""

from typing import Any

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from fapilog.otel.redacting_baggage import RedactingBaggagePropagator
from fapilog.settings.redaction import RedactionSettings

SCAN = RedactionSettings(mode="scan")
ENTRIES = {
    "tenant": "acme",
    "api_key": "k",
    "card": "4111 1111 1111 1111",
    "ann@example.org": "1",
    "next": "https://u:p@host/",
    "user.ssn": "536221034",
    "number": 4_111_111_111_111_111,
}


def context_with(entries: dict[str, Any]) -> Context:
    span = NonRecordingSpan(SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1)))
    context = trace.set_span_in_context(span, Context())
    for name, value in entries.items():
        context = baggage.set_baggage(name, value, context)
    return context


def injected(propagator: Any, context: Context) -> dict[str, str]:
    headers: dict[str, str] = {}
    propagator.inject(headers, context)
    return headers


BOTH = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
TRACEPARENT = f"00-{7:032x}-{8:016x}-01"


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        (SCAN, ["tenant"]),
        (RedactionSettings(), ["tenant", "card", "ann@example.org", "user.ssn", "number"]),
        (RedactionSettings(secret_keys=("tenant",)), ["card", "ann@example.org", "user.ssn", "number"]),
    ],
)
def test_an_entry_in_which_something_is_hidden_does_not_leave(settings, left):
    context = context_with(ENTRIES)
    headers = injected(RedactingBaggagePropagator(BOTH, settings), context)
    arrived = W3CBaggagePropagator().extract(headers, Context())
    assert list(baggage.get_all(arrived)) == left
    assert headers["traceparent"] == TRACEPARENT
    assert dict(baggage.get_all(context)) == ENTRIES


def test_without_entries_that_may_leave_there_is_no_header():
    headers = injected(RedactingBaggagePropagator(BOTH, SCAN), context_with({"password": "x"}))
    assert headers == {"traceparent": TRACEPARENT}


def test_what_arrives_is_not_touched():
    ours = RedactingBaggagePropagator(BOTH, SCAN)
    arrived = ours.extract({"baggage": "api_key=k,card=4111111111111111"}, Context())
    assert dict(baggage.get_all(arrived)) == {"api_key": "k", "card": "4111111111111111"}
    assert ours.fields == BOTH.fields


def test_baggage_that_cannot_be_read_does_not_leave(capsys):
    class Odd:
        def __str__(self) -> str:
            raise ValueError("odd")

    headers = injected(RedactingBaggagePropagator(BOTH, SCAN), context_with({"odd": Odd(), "tenant": "acme"}))
    assert headers == {"traceparent": TRACEPARENT}
    assert "[unscanned]" in capsys.readouterr().err


def test_configure_otel_wraps_the_global_propagator_and_puts_it_back(configure):
    before = propagate.get_global_textmap()
    telemetry = configure(redaction="scan")
    headers: dict[str, str] = {}
    propagate.inject(headers, context_with(ENTRIES))
    assert headers["baggage"] == "tenant=acme"
    telemetry.shutdown()
    assert propagate.get_global_textmap() is before


def test_a_propagator_that_somebody_sets_later_stays(configure):
    before = propagate.get_global_textmap()
    telemetry = configure()
    try:
        propagate.set_global_textmap(BOTH)
        telemetry.shutdown()
        assert propagate.get_global_textmap() is BOTH
    finally:
        propagate.set_global_textmap(before)
