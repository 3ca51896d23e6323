"""What records of a request have beside its access record: who was asked what, and on whose behalf.

Thread: caller.
"""

from __future__ import annotations

from typing import Any

from fapilog_instrumentation_fastapi import paths
from fapilog_instrumentation_fastapi.access import method_of
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE, Exchange


def facts(exchange: Exchange) -> dict[str, Any]:
    """Return method, path, route, correlation id, and what was bound for user, tenant and baggage."""
    attributes: dict[str, Any] = {
        "url.path": paths.path(exchange),
        CORRELATION_ATTRIBUTE: exchange.correlation_id,
    }
    if exchange.scope["type"] == "http":
        attributes["http.request.method"] = method_of(exchange.scope)
    if (route := exchange.route) is not None:
        attributes["http.route"] = route
    if exchange.bound is not None:
        attributes.update(exchange.bound)
    return attributes


def title(exchange: Exchange) -> str:
    """Return method and route, for the line that people read; never the path, which is the caller's."""
    is_http = exchange.scope["type"] == "http"
    method = method_of(exchange.scope) if is_http else "WS"
    route = exchange.route
    return f"{method} {route}" if route is not None else method
