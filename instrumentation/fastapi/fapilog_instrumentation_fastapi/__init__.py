"""Request-aware logging for FastAPI, Starlette and any ASGI application, with fapilog.

    import fapilog
    from fastapi import FastAPI

    fapilog.configure_otel(service_name="orders")
    app = fapilog.instrument_fastapi(FastAPI())

Every request has a correlation id, which each of its records carries, and an access record inside of its
server span. `RequestLogging` has the settings.
"""

from __future__ import annotations

from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.exchange import current as current_exchange
from fapilog_instrumentation_fastapi.health import health_router
from fapilog_instrumentation_fastapi.instrumentor import instrument_fastapi, uninstrument_fastapi
from fapilog_instrumentation_fastapi.lifespan import fapilog_lifespan
from fapilog_instrumentation_fastapi.middleware import RequestLoggingMiddleware
from fapilog_instrumentation_fastapi.outgoing import propagate_correlation, stop_propagating
from fapilog_instrumentation_fastapi.settings import RequestLogging
from fapilog_instrumentation_fastapi.zero_code import FastAPIInstrumentor

__all__ = [
    "Exchange",
    "FastAPIInstrumentor",
    "RequestLogging",
    "RequestLoggingMiddleware",
    "current_exchange",
    "fapilog_lifespan",
    "health_router",
    "instrument_fastapi",
    "propagate_correlation",
    "stop_propagating",
    "uninstrument_fastapi",
]
