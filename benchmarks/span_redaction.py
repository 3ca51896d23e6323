"""What redaction adds to the end of a span, in nanoseconds of CPU: `python -m benchmarks.span_redaction`.

One process, one thread; the provider has one processor that does nothing. Each figure is the best of several
rounds, which visit the providers in turn.
"""

from __future__ import annotations

import sys
import time

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from fapilog.otel.redacting_spans import RedactingSpanProcessor, RedactingSpanProcessors
from fapilog.settings.redaction import RedactionSettings

ATTRIBUTES = {
    "http.request.method": "GET",
    "url.full": "https://shop.example/orders/42?page=2",
    "http.response.status_code": 200,
    "server.address": "shop.example",
    "server.port": 443,
    "http.route": "/orders/{order_id}",
    "user_agent.original": "Mozilla/5.0",
}
ONE_ADDRESS = ATTRIBUTES | {"user": "ann@example.org"}
SPANS, ROUNDS = 5_000, 5


def providers() -> dict[str, TracerProvider]:
    """Return the stock provider, and those with our boundary or our processor."""
    keys, scan = RedactionSettings(), RedactionSettings(mode="scan")
    made = {"no redaction": TracerProvider(shutdown_on_exit=False)}
    for name, policy in (("keys", keys), ("scan", scan)):
        boundary = RedactingSpanProcessors(policy)
        made[f"{name}, our provider"] = TracerProvider(shutdown_on_exit=False, active_span_processor=boundary)
        made[f"{name}, another's"] = TracerProvider(shutdown_on_exit=False)
        made[f"{name}, another's"].add_span_processor(RedactingSpanProcessor(policy))
    for provider in made.values():
        provider.add_span_processor(SpanProcessor())
    return made


def nanos_per_span(provider: TracerProvider, attributes: dict[str, str | int]) -> float:
    """Time starting and ending spans with these attributes."""
    start = provider.get_tracer("shop").start_span
    begin = time.thread_time_ns()
    for _ in range(SPANS):
        start("GET /orders/{order_id}", attributes=attributes).end()
    return (time.thread_time_ns() - begin) / SPANS


def main() -> None:
    """Print a table."""
    for title, attributes in (("nothing to hide", ATTRIBUTES), ("one address", ONE_ADDRESS)):
        best: dict[str, float] = {}
        made = providers()
        for _ in range(ROUNDS):
            for name, provider in made.items():
                best[name] = min(best.get(name, 1e12), nanos_per_span(provider, attributes))
        stock = best["no redaction"]
        sys.stdout.write(f"{title}: a stock span of {len(attributes)} attributes takes {stock:,.0f} ns\n")
        for name, nanos in best.items():
            if name != "no redaction":
                sys.stdout.write(f"  {name:20} adds {nanos - stock:8,.0f} ns\n")


if __name__ == "__main__":
    main()
