"""Request-aware logging for FastAPI, Starlette and any ASGI application, with fapilog.

    import fapilog
    from fastapi import FastAPI

    fapilog.configure_otel(service_name="orders")
    app = fapilog.instrument_fastapi(FastAPI())

Every request has a correlation id, which each of its records carries, and an access record inside of its
server span. `RequestLogging` has the settings.
"""

from __future__ import annotations

from fapilog_instrumentation_fastapi.binding import request_attributes
from fapilog_instrumentation_fastapi.dependencies import (
    RequestLogger,
    bind_tenant,
    bind_user,
    get_request_logger,
    request_logger,
)
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.exchange import current as current_exchange
from fapilog_instrumentation_fastapi.health import health_router
from fapilog_instrumentation_fastapi.hooks import Hooks
from fapilog_instrumentation_fastapi.instrumentor import instrument_fastapi, uninstrument_fastapi
from fapilog_instrumentation_fastapi.lifespan import fapilog_lifespan
from fapilog_instrumentation_fastapi.middleware import RequestLoggingMiddleware
from fapilog_instrumentation_fastapi.outgoing import propagate_correlation, stop_propagating
from fapilog_instrumentation_fastapi.route_options import request_options
from fapilog_instrumentation_fastapi.settings import RequestLogging
from fapilog_instrumentation_fastapi.zero_code import FastAPIInstrumentor

__all__ = [
    "Exchange",
    "FastAPIInstrumentor",
    "Hooks",
    "RequestLogger",
    "RequestLogging",
    "RequestLoggingMiddleware",
    "bind_tenant",
    "bind_user",
    "current_exchange",
    "fapilog_lifespan",
    "get_request_logger",
    "health_router",
    "instrument_fastapi",
    "propagate_correlation",
    "request_attributes",
    "request_logger",
    "request_options",
    "stop_propagating",
    "uninstrument_fastapi",
]
