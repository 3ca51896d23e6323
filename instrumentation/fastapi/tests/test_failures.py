"""An unhandled exception is one record, whoever raised it and whoever else would have written it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect

import fapilog
from fapilog.exporters import memory
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    RequestLoggingMiddleware,
    instrument_fastapi,
    uninstrument_fastapi,
)
from fapilog_instrumentation_fastapi.failures import HTTP_EVENT, WEBSOCKET_EVENT, _pass_on
from instrumentation.fastapi.tests.calling import Wire, client, scope

# The lines of a stack show the source.
SECRET = "hunter" + "2"
SETTINGS = RequestLogging(spans="none")


class OutOfTeaError(Exception):
    pass


def failures(logs: CapturedLogs) -> list[Any]:
    return [record for record in logs if record.event_name in {HTTP_EVENT, WEBSOCKET_EVENT}]


def shop(**options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int) -> None:
        try:
            raise KeyError(order_id)
        except KeyError as error:
            raise OutOfTeaError("the shelf is empty") from error

    @app.get("/group")
    async def group() -> None:
        raise ExceptionGroup("many", [OutOfTeaError("green"), ValueError("black")])

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        def fail() -> None:
            raise OutOfTeaError("too late")

        tasks.add_task(fail)
        return "ok"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"tea"
            raise OutOfTeaError("in the middle")

        return StreamingResponse(parts())

    @app.get("/handled")
    async def handled() -> None:
        raise LookupError("known")

    @app.exception_handler(LookupError)
    async def on_lookup(request: Request, error: Exception) -> JSONResponse:
        if request.query_params.get("fail"):
            raise OutOfTeaError("in the handler") from error
        return JSONResponse({}, status_code=503)

    inner = FastAPI()

    @inner.get("/stock/{item}")
    def stock(item: str) -> str:
        raise OutOfTeaError(item)

    @app.websocket("/rooms/{room}")
    async def chat(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        raise OutOfTeaError(room)

    app.mount("/tenants/{tenant}", inner)
    return instrument_fastapi(app, SETTINGS, **options)


async def test_it_has_its_stack_its_causes_and_what_was_asked(fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        await http.get("/orders/42", headers={"X-Request-ID": "r-1"})
    [record] = failures(fapilog_logs)
    stack = record.attributes.pop("exception.stacktrace")
    assert (record.severity_text, record.body, record.scope_name, record.event_name) == (
        "ERROR",
        "unhandled exception in GET /orders/{order_id}",
        "fapilog.http",
        "http.server.request.exception",
    )
    assert record.attributes == {
        "http.request.method": "GET",
        "http.route": "/orders/{order_id}",
        "http.response.status_code": 500,
        "url.path": "/orders/42",
        "error.type": f"{__name__}.OutOfTeaError",
        "exception.type": f"{__name__}.OutOfTeaError",
        "exception.message": "the shelf is empty",
        "fapilog.correlation_id": "r-1",
    }
    assert "KeyError: 42" in stack
    assert "The above exception was the direct cause" in stack
    assert stack.rstrip().endswith("OutOfTeaError: the shelf is empty")


async def test_the_members_of_a_group_are_in_the_stack(fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        await http.get("/group")
    [record] = failures(fapilog_logs)
    assert record.attributes["exception.type"] == "ExceptionGroup"
    assert "OutOfTeaError: green" in record.attributes["exception.stacktrace"]
    assert "ValueError: black" in record.attributes["exception.stacktrace"]


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/later", "/later", 200),
        ("/stream", "/stream", 200),
        ("/handled?fail=1", "/handled", 500),
        ("/tenants/acme/stock/tea", "/tenants/{tenant}/stock/{item}", 500),
    ],
)
async def test_it_is_written_once_wherever_it_was_raised(
    path: str, route: str, status: int, fapilog_logs: CapturedLogs
):
    async with client(shop()) as http:
        await http.get(path)
    [record] = failures(fapilog_logs)
    assert record.attributes["exception.type"].endswith("OutOfTeaError")
    assert record.attributes["http.route"] == route
    assert record.attributes["http.response.status_code"] == status


async def test_an_exception_that_the_application_handles_is_none(fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        answer = await http.get("/handled")
    assert answer.status_code == 503
    assert failures(fapilog_logs) == []


async def test_the_applications_own_handler_of_every_exception_answers_and_it_is_written(
    fapilog_logs: CapturedLogs,
):
    app = shop()

    @app.exception_handler(Exception)
    def on_any(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"sorry": True}, status_code=500)

    async with client(app) as http:
        answer = await http.get("/orders/1")
    assert answer.json() == {"sorry": True}
    assert len(failures(fapilog_logs)) == 1


def test_an_exception_of_a_websocket_endpoint_has_its_own_event(fapilog_logs: CapturedLogs):
    with pytest.raises(OutOfTeaError), TestClient(shop()).websocket_connect("/rooms/tea"):
        pass
    [record] = failures(fapilog_logs)
    assert (record.event_name, record.body) == (WEBSOCKET_EVENT, "unhandled exception in WS /rooms/{room}")
    assert not {"http.request.method", "http.response.status_code"} & record.attributes.keys()


@pytest.mark.parametrize(
    "error",
    [
        ClientDisconnect(),
        WebSocketDisconnect(1001),
        ExceptionGroup("gone", [ClientDisconnect(), ExceptionGroup("inner", [WebSocketDisconnect(1006)])]),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_client_that_goes_away_and_a_cancellation_are_none(
    error: BaseException, fapilog_logs: CapturedLogs
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    wire = Wire()
    with pytest.raises(type(error)):
        await RequestLoggingMiddleware(app, SETTINGS)(scope(), wire.receive, wire.send)
    assert failures(fapilog_logs) == []


async def test_a_second_middleware_writes_nothing(fapilog_logs: CapturedLogs):
    app = shop()
    app.add_middleware(RequestLoggingMiddleware, SETTINGS)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    async with client(app) as http:
        await http.get("/orders/1")
    assert len(failures(fapilog_logs)) == 1


@pytest.fixture
def tracer_provider() -> Iterator[TracerProvider]:
    made = TracerProvider()
    yield made
    made.shutdown()


def exported(telemetry: fapilog.Telemetry) -> list[Any]:
    """Event name, scope, trace and span of the events that left."""
    assert telemetry.force_flush()
    found = [(each.log_record, each.instrumentation_scope) for each in memory.newest().get_finished_logs()]
    return [(r.event_name, s.name, r.trace_id, r.span_id) for r, s in found if r.event_name]


def native_app(provider: TracerProvider, spans: str, **exceptions: Any) -> FastAPI:
    class Order(BaseModel):
        count: int

    app = FastAPI(telemetry={"tracer_provider": provider})

    @app.post("/orders")
    async def order(order: Order) -> None:
        raise OutOfTeaError("no")

    return instrument_fastapi(app, spans=spans, tracer_provider=provider, exceptions=exceptions)


@pytest.mark.parametrize("spans", ["native", "contrib"])
async def test_fastapis_own_telemetry_writes_no_second_record(
    spans: str, tracer_provider: TracerProvider, configure: Callable[..., fapilog.Telemetry]
):
    telemetry = configure(exporters=["memory"])
    app = native_app(tracer_provider, spans)
    async with client(app) as http:
        await http.post("/orders", json={"count": 1})
        await http.post("/orders", json={"count": "x"})
    found = exported(telemetry)
    assert [each[:2] for each in found] == [
        ("http.server.request.exception", "fapilog.http"),
        ("fapilog.http.server.request", "fapilog.http"),
        ("fapilog.http.server.validation_failed", "fapilog.http"),
        ("fapilog.http.server.request", "fapilog.http"),
    ]
    assert found[0][2:] == found[1][2:] != found[2][2:] == found[3][2:]
    assert 0 not in {number for each in found for number in each[2:]}
    uninstrument_fastapi(app)
    assert app._telemetry["logs"] is True


async def test_where_ours_is_switched_off_fastapis_own_record_stays(
    tracer_provider: TracerProvider, configure: Callable[..., fapilog.Telemetry]
):
    telemetry = configure(exporters=["memory"])
    async with client(native_app(tracer_provider, "native", enabled=False)) as http:
        await http.post("/orders", json={"count": 1})
    assert [each[:2] for each in exported(telemetry)] == [
        ("http.server.request.exception", "fastapi"),
        ("fapilog.http.server.request", "fapilog.http"),
    ]


async def test_what_the_server_logs_of_it_reaches_the_servers_handlers_and_is_no_second_record(
    fapilog_logs: CapturedLogs,
):
    heard: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = heard.append  # type: ignore[method-assign]
    server = logging.getLogger("uvicorn.error")
    server.addHandler(handler)
    wire = Wire()
    app = shop()
    try:
        for _ in range(2):
            try:
                await app(scope("/orders/1"), wire.receive, wire.send)
            except OutOfTeaError as error:
                server.error("Exception in ASGI application\n", exc_info=error)
        server.error("another one", exc_info=OutOfTeaError("not of a request"))
    finally:
        server.removeHandler(handler)
    written = [r for r in fapilog_logs if "exception.type" in r.attributes]
    assert [record.event_name or record.body for record in written] == [HTTP_EVENT, HTTP_EVENT, "another one"]
    assert len(heard) == 3
    assert server.filters.count(_pass_on) == 1


async def test_a_response_that_is_not_valid_is_one_without_what_it_held(fapilog_logs: CapturedLogs):
    app = FastAPI()

    class Item(BaseModel):
        price: int

    @app.get("/direct", response_model=Item)
    async def direct() -> Any:
        return {"price": SECRET}

    @app.get("/inner")
    async def inner() -> None:
        try:
            Item.model_validate({"price": SECRET})
        except ValueError as error:
            raise ExceptionGroup("many", [OutOfTeaError("no"), error]) from error

    instrument_fastapi(app, SETTINGS)
    async with client(app) as http:
        for path in ("/direct", "/inner"):
            assert (await http.get(path)).status_code == 500
    direct_record, inner_record = failures(fapilog_logs)
    assert direct_record.attributes["exception.type"] == "fastapi.exceptions.ResponseValidationError"
    assert direct_record.attributes["exception.message"].startswith("1 validation error:\n\n  File")
    assert "in serialize_response" in direct_record.attributes["exception.stacktrace"]
    assert "input_type=str" in inner_record.attributes["exception.stacktrace"]
    assert SECRET not in repr([record.attributes for record in fapilog_logs])


class LyingError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name) if name.startswith("_fapilog") else AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError(name)


@pytest.mark.parametrize("cause", [None, RequestValidationError([{"loc": ("body",), "input": SECRET}])])
async def test_an_exception_that_lies_about_everything_is_a_record_and_harms_nobody(
    cause: Exception | None, fapilog_logs: CapturedLogs
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LyingError from cause

    middleware, wire = RequestLoggingMiddleware(app, SETTINGS), Wire()
    with pytest.raises(LyingError) as caught:
        await middleware(scope(), wire.receive, wire.send)
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=caught.value)
    [record] = failures(fapilog_logs)
    assert record.attributes["exception.type"].endswith("LyingError")
    assert middleware.plan.own_errors.count == 0
    assert SECRET not in repr([each.attributes for each in failures(fapilog_logs)])


async def test_a_problem_document_with_the_id_answers_only_when_asked(fapilog_logs: CapturedLogs):
    asked = {"problem_response": True}
    async with client(shop(exceptions=asked)) as http:
        answer = await http.get("/orders/1", headers={"X-Request-ID": "r-1"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "correlation_id": "r-1",
    }
    async with client(shop()) as http:
        assert (await http.get("/orders/1")).text == "Internal Server Error"
    assert len(failures(fapilog_logs)) == 2


async def test_it_is_written_for_plain_starlette_and_by_the_middleware_alone(fapilog_logs: CapturedLogs):
    async def fail(request: Request) -> None:
        raise OutOfTeaError("no")

    app = RequestLoggingMiddleware(Starlette(routes=[Route("/fail", fail)]), SETTINGS)
    async with client(app) as http:
        await http.get("/fail")
    [record] = failures(fapilog_logs)
    assert record.attributes["url.path"] == "/fail"


async def test_where_ours_is_not_kept_the_servers_record_stays(configure: Any):
    telemetry = configure("shop", exporters=["memory"], levels={"fapilog.http": "fatal"})
    wire, app = Wire(), shop()
    try:
        await app(scope("/orders/1"), wire.receive, wire.send)
    except OutOfTeaError as error:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error)
    assert telemetry.force_flush()
    records = [each.log_record for each in memory.newest().get_finished_logs()]
    written = [record.body for record in records if "exception.type" in (record.attributes or {})]
    assert written == ["Exception in ASGI application\n"]
