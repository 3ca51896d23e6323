"""Takes secret parameters out of the URLs of the server span, whoever made it, while it is still open.

Our middleware is inside of the span, and which parameters a route has is known at the end of a request.
Thread: caller.
"""

from __future__ import annotations

from urllib.parse import quote

from opentelemetry import trace

from fapilog_instrumentation_fastapi import paths
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.plan import Plan

# Semantic conventions: the stable names, and the older ones, which are contrib's default.
ATTRIBUTES = ("url.full", "url.path", "url.query", "http.url", "http.target")


def attach(plan: Plan) -> None:
    """Look at the span of a request, at its end, where something is hidden."""
    plan.on_unusual.append(hide)


def hide(exchange: Exchange) -> None:
    """Put the URLs of the span as records show them, if that is another way."""
    path, query = paths.shown(exchange)
    is_same = path == exchange.path
    if is_same and query.encode("latin-1") == exchange.scope.get("query_string", b""):
        return
    span = trace.get_current_span(exchange.context)
    written = getattr(span, "attributes", None) or {}
    for name in ATTRIBUTES:
        value = written.get(name)
        if not isinstance(value, str):
            continue
        shown = paths.url(exchange, value)
        if not is_same:
            shown = shown.replace(quote(exchange.path), path).replace(exchange.path, path)
        if shown != value:
            span.set_attribute(name, shown)
