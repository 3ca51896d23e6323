"""Ways to log the requests of a FastAPI application: ours and those of peers, each as its documentation says.

Each way gets an application with one route, puts itself around it, and writes one line, record or span per
request. Lines go to the null device, records and spans to a receiver on loopback.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.libraries import NotInstalledError

Finish = Callable[[], dict[str, Any]]
Way = Callable[[Any, str], Finish]
ROUTE = "/orders/{order_id}"


def application(**telemetry: bool) -> Any:
    """One route that does nothing; `telemetry` is FastAPI's own."""
    import fastapi

    app = fastapi.FastAPI(telemetry=telemetry or None)

    @app.get(ROUTE)
    async def order(order_id: int) -> dict[str, int]:
        return {"order_id": order_id}

    return app


def nothing() -> dict[str, Any]:
    """What has no queue has nothing to deliver."""
    return {}


def lines() -> Any:
    """Where lines go."""
    return Path(os.devnull).open("w", encoding="utf-8")


def bare(_app: Any, _endpoint: str) -> Finish:
    return nothing


def contrib(app: Any, endpoint: str) -> Finish:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Metrics are measured and exported nowhere, as beside fapilog.
    provider, meters = TracerProvider(), MeterProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, meter_provider=meters, exclude_spans=["receive", "send"]
    )
    return nothing


def fapilog(**settings: Any) -> Way:
    """Our middleware, and the spans that `contrib` makes, redacted."""

    def way(app: Any, endpoint: str) -> Finish:
        import fapilog as library

        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        os.environ["OTEL_METRICS_EXPORTER"] = "none"
        telemetry = library.configure_otel("benchmark", exporters=["otlp"], **settings)
        library.instrument_fastapi(app, telemetry=telemetry, spans="contrib")

        def finish() -> dict[str, Any]:
            telemetry.shutdown()
            ledger = telemetry.ledger()
            return {"offered": ledger.offered, "delivered": ledger.exporters["otlp"].delivered}

        return finish

    return way


def fapilog_alone(**settings: Any) -> Way:
    """Our middleware and a pipeline for it; no spans, no metrics."""

    def way(app: Any, endpoint: str) -> Finish:
        import fapilog as library

        loaded = library.Settings.load(environ={}, otlp={"endpoint": f"{endpoint}/v1/logs"}, **settings)
        provider = library.LoggerProvider(settings=loaded, exporters=["otlp"])
        library.instrument_fastapi(app, logger_provider=provider, spans="none")

        def finish() -> dict[str, Any]:
            provider.shutdown()
            ledger = provider.ledger()
            return {"offered": ledger.offered, "delivered": ledger.exporters["otlp"].delivered}

        return finish

    return way


def logfire(app: Any, endpoint: str) -> Finish:
    import logfire as library
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    processor = BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces"))
    library.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        service_name="benchmark",
        additional_span_processors=[processor],
    )
    library.instrument_fastapi(app)
    return nothing


class StructlogAccess:
    """What projects write themselves on top of asgi-correlation-id: one line per request."""

    def __init__(self, app: Any, log: Any, correlation_id: Any) -> None:
        self.app, self.log, self.correlation_id = app, log, correlation_id

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def observe(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            self.log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=time.perf_counter() - started,
                correlation_id=self.correlation_id.get(),
            )


def asgi_correlation_id_and_structlog(app: Any, _endpoint: str) -> Finish:
    import structlog
    from asgi_correlation_id import CorrelationIdMiddleware, correlation_id

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(lines()),
        cache_logger_on_first_use=True,
    )
    app.add_middleware(StructlogAccess, log=structlog.get_logger(), correlation_id=correlation_id)
    app.add_middleware(CorrelationIdMiddleware)
    return nothing


def standard_logger() -> logging.Logger:
    """A logger of `logging` that writes lines."""
    logger = logging.getLogger("benchmark.access")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.StreamHandler(lines())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger


def asgi_logger(app: Any, _endpoint: str) -> Finish:
    from asgi_logger import AccessLoggerMiddleware

    app.add_middleware(AccessLoggerMiddleware, logger=standard_logger())
    return nothing


def asgi_request_logger(app: Any, _endpoint: str) -> Finish:
    from asgi_request_logger import JsonRequestLoggerMiddleware

    app.add_middleware(JsonRequestLoggerMiddleware, logger=standard_logger())
    return nothing


def starlette_context(app: Any, _endpoint: str) -> Finish:
    """It binds ids and logs nothing; the line is `asgi-logger`'s."""
    from asgi_logger import AccessLoggerMiddleware
    from starlette_context import plugins
    from starlette_context.middleware import RawContextMiddleware

    app.add_middleware(AccessLoggerMiddleware, logger=standard_logger())
    app.add_middleware(
        RawContextMiddleware, plugins=(plugins.RequestIdPlugin(), plugins.CorrelationIdPlugin())
    )
    return nothing


def auditry(app: Any, _endpoint: str) -> Finish:
    """Its lines go to standard error, which the parent sends to the null device."""
    from auditry import ObservabilityConfig
    from auditry.fastapi import create_middleware

    create_middleware(app, ObservabilityConfig(service_name="benchmark"))
    return nothing


WAYS: dict[str, Way] = {
    "bare app": bare,
    "contrib instrumentor": contrib,
    "fapilog, keys, no spans": fapilog_alone(redaction="keys"),
    "fapilog, scan, no spans": fapilog_alone(redaction="scan"),
    "fapilog, pci-dss + hipaa, no spans": fapilog_alone(compliance=["pci-dss", "hipaa"]),
    "fapilog, keys": fapilog(redaction="keys"),
    "fapilog, scan": fapilog(redaction="scan"),
    "fapilog, pci-dss + hipaa": fapilog(compliance=["pci-dss", "hipaa"]),
    "logfire": logfire,
    "asgi-correlation-id + structlog": asgi_correlation_id_and_structlog,
    "asgi-logger": asgi_logger,
    "starlette-context + asgi-logger": starlette_context,
    "asgi-request-logger": asgi_request_logger,
    "auditry": auditry,
}
# OpenTelemetry's providers, for the process.
INSTALL_PROVIDERS = frozenset({"fapilog, keys", "fapilog, scan", "fapilog, pci-dss + hipaa", "logfire"})
# Looked at, and not run.
LEFT_OUT = {
    "fastapi-structlog": "asks for structlog < 26 and rich < 14; other packages here need newer ones",
}


def put_around(name: str, app: Any, endpoint: str) -> Finish:
    """Put a way around an application.

    Raises:
        NotInstalledError: A package is missing.
    """
    try:
        return WAYS[name](app, endpoint)
    except ImportError as error:
        raise NotInstalledError(f"not installed: {error}") from error
