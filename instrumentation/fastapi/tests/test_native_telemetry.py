"""FastAPI's own telemetry says nothing twice: below the middleware alone, and in what is mounted."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount

import fapilog
from fapilog.testing import capture_logs
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    RequestLoggingMiddleware,
    instrument_fastapi,
    uninstrument_fastapi,
)

SECRET = "hunter" + "2"
SETTINGS = RequestLogging(spans="none")
WRITTEN = [
    ("fapilog.http", "fapilog.http.server.validation_failed"),
    ("fapilog.http", "fapilog.http.server.request"),
    ("fapilog.http", "http.server.request.exception"),
    ("fapilog.http", "fapilog.http.server.request"),
]


class Order(BaseModel):
    count: int


def shop() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def place(order: Order) -> None:
        Order.model_validate({"count": SECRET})

    return app


def ask(app: Any, path: str = "/orders") -> list[tuple[str, str | None]]:
    """An order that is not valid, and one that fails; who wrote what."""
    client = TestClient(app, raise_server_exceptions=False)
    with capture_logs() as logs:
        for count in (SECRET, 1):
            client.post(path, json={"count": count})
    assert SECRET not in repr([record.attributes for record in logs])
    return [(record.scope_name, record.event_name) for record in logs if record.event_name]


def added() -> Any:
    app = shop()
    app.add_middleware(RequestLoggingMiddleware, settings=SETTINGS)
    return app


@pytest.mark.parametrize("make", [added, lambda: RequestLoggingMiddleware(shop(), SETTINGS)])
def test_the_middleware_alone_writes_failures_of_fastapi_once_from_the_first_request_on(
    make: Callable[[], Any], configure: Callable[..., fapilog.Telemetry]
):
    configure("shop")
    app = make()
    assert [ask(app), ask(app)] == [WRITTEN, WRITTEN]


@pytest.mark.parametrize("outer", [FastAPI, Starlette])
@pytest.mark.parametrize("spans", ["auto", "native", "none"])
def test_a_mounted_application_makes_no_second_span_and_no_second_record(
    outer: type[Any], spans: Any, configure: Callable[..., fapilog.Telemetry]
):
    telemetry, made, inner = configure("shop"), InMemorySpanExporter(), shop()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(made))
    app = instrument_fastapi(outer(routes=[Mount("/v1", app=inner)]), spans=spans)
    assert ask(app, "/v1/orders") == WRITTEN
    servers = [span for span in made.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert len(servers) == (0 if spans == "none" else 2)
    uninstrument_fastapi(app)
    assert inner._telemetry["logs"] is inner._telemetry["tracing"] is True
