"""What passes between server and application is counted and never changed; each exchange has one record."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

import fapilog
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware, instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT, WEBSOCKET_EVENT
from fapilog_instrumentation_fastapi.failures import HTTP_EVENT as EXCEPTION
from instrumentation.fastapi.tests.calling import Wire, client, scope

SETTINGS = RequestLogging(spans="none")
log = fapilog.get_logger("shop")


def the_record(logs: CapturedLogs, event: str = HTTP_EVENT) -> Any:
    [record] = logs.find_all(event_name=event)
    return record


def some(record: Any, *names: str) -> list[Any]:
    return [record.attributes.get(name) for name in names]


def ours(logs: CapturedLogs) -> list[Any]:
    return [record for record in logs if record.scope_name in {"shop", "fapilog.http"}]


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b"tea", b"cup", b"spoon"):
                log.info("part")
                yield part

        return StreamingResponse(parts())

    @app.get("/events")
    async def events() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            yield "data: one\n\n"
            yield "data: two\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(lambda: log.info("afterwards"))
        return "ok"

    return instrument_fastapi(app, SETTINGS)


async def test_a_stream_is_one_record_when_its_last_part_was_given_out(fapilog_logs: CapturedLogs):
    async with client(application()) as http:
        answer = await http.get("/stream", headers={"X-Request-ID": "r-1"})
    assert answer.content == b"teacupspoon"
    assert [record.body for record in ours(fapilog_logs)] == ["part", "part", "part", "GET /stream 200"]
    assert {record.attributes["fapilog.correlation_id"] for record in ours(fapilog_logs)} == {"r-1"}
    assert some(the_record(fapilog_logs), "http.response.body.size") == [11]


async def test_server_sent_events_are_a_stream(fapilog_logs: CapturedLogs):
    async with client(application()) as http:
        answer = await http.get("/events")
    assert some(the_record(fapilog_logs), "http.response.body.size") == [len(answer.content)]


async def test_a_background_task_belongs_to_the_request_and_comes_after_its_record(
    fapilog_logs: CapturedLogs,
):
    async with client(application()) as http:
        await http.get("/later", headers={"X-Request-ID": "r-2"})
    assert [record.body for record in ours(fapilog_logs)] == ["GET /later 200", "afterwards"]
    assert ours(fapilog_logs)[1].attributes == {"fapilog.correlation_id": "r-2"}


@pytest.mark.parametrize(
    ("status", "severities", "error_type"),
    [
        (200, {HTTP_EVENT: "INFO", EXCEPTION: "ERROR"}, None),
        (404, {HTTP_EVENT: "WARN", EXCEPTION: "ERROR"}, None),
        (503, {EXCEPTION: "ERROR", HTTP_EVENT: "ERROR"}, "KeyError"),
    ],
)
@pytest.mark.parametrize("late", ["task", "dependency"])
async def test_what_fails_after_the_last_part_changes_the_record_of_a_failure_only(
    late: str, status: int, severities: dict[str, str], error_type: str | None, fapilog_logs: CapturedLogs
):
    def fail() -> None:
        raise KeyError("too late")

    async def cleaned_up() -> AsyncIterator[None]:
        yield
        if late == "dependency":
            fail()

    app = FastAPI(dependencies=[Depends(cleaned_up)])

    @app.get("/")
    async def read(tasks: BackgroundTasks) -> Response:
        if late == "task":
            tasks.add_task(fail)
        return Response(status_code=status, background=tasks)

    async with client(instrument_fastapi(app, SETTINGS)) as http:
        await http.get("/")
    found = [each for each in fapilog_logs if each.event_name in {HTTP_EVENT, EXCEPTION}]
    assert {each.event_name: each.severity_text for each in found} == severities
    assert len({each.attributes["fapilog.correlation_id"] for each in found}) == 1
    assert some(the_record(fapilog_logs), "error.type", "http.response.status_code") == [error_type, status]


async def test_the_size_of_a_request_without_a_length_is_what_was_read(fapilog_logs: CapturedLogs):
    async def parts() -> AsyncIterator[bytes]:
        yield b"12345"
        yield b"678"

    async with client(application()) as http:
        answer = await http.post("/upload", content=parts())
    assert answer.json() == 8
    assert some(the_record(fapilog_logs), "http.request.body.size") == [8]


async def test_a_response_to_head_has_no_body_whatever_the_application_gave(fapilog_logs: CapturedLogs):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"tea"})

    wire = Wire()
    await RequestLoggingMiddleware(app, SETTINGS)(scope(method="HEAD"), wire.receive, wire.send)
    assert some(the_record(fapilog_logs), "http.request.method", "http.response.body.size") == ["HEAD", 0]
    assert len(wire.sent) == 2


async def test_a_file_that_the_server_sends_has_the_size_of_its_header(
    tmp_path: Path, fapilog_logs: CapturedLogs
):
    (tmp_path / "tea.txt").write_bytes(b"x" * 1_000)
    wire = Wire()
    served = {**scope(), "extensions": {"http.response.pathsend": {}}}
    app = FileResponse(tmp_path / "tea.txt")
    await RequestLoggingMiddleware(app, SETTINGS)(served, wire.receive, wire.send)
    assert [message["type"] for message in wire.sent] == ["http.response.start", "http.response.pathsend"]
    assert some(the_record(fapilog_logs), "http.response.body.size") == [1_000]


async def test_a_file_that_the_server_copies_is_counted_in_parts(fapilog_logs: CapturedLogs):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.zerocopysend", "file": 3, "count": 700, "more_body": True})
        await send({"type": "http.response.zerocopysend", "file": 3, "count": 50})

    wire = Wire()
    await RequestLoggingMiddleware(app, SETTINGS)(scope(), wire.receive, wire.send)
    record = the_record(fapilog_logs)
    assert (record.severity_text, *some(record, "http.response.body.size")) == ("INFO", 750)


async def test_a_client_that_goes_away_in_the_middle_is_no_error(fapilog_logs: CapturedLogs):
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"tea"
            await asyncio.sleep(0)

    wire = Wire()
    served = {**scope(), "asgi": {"version": "3.0", "spec_version": "2.0"}}
    await RequestLoggingMiddleware(StreamingResponse(parts()), SETTINGS)(served, wire.receive, wire.send)
    record = the_record(fapilog_logs)
    assert record.severity_text == "INFO"
    assert some(record, "http.response.status_code", "fapilog.http.client_disconnected", "error.type") == [
        200,
        True,
        None,
    ]


async def test_a_client_that_goes_away_while_it_sends_is_no_error(fapilog_logs: CapturedLogs):
    wire = Wire({"type": "http.request", "body": b"12", "more_body": True}, {"type": "http.disconnect"})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()

    with pytest.raises(ClientDisconnect):
        await RequestLoggingMiddleware(app, SETTINGS)(scope(method="POST"), wire.receive, wire.send)
    record = the_record(fapilog_logs)
    assert (record.severity_text, record.body) == ("INFO", "POST")
    assert some(record, "http.request.body.size", "fapilog.http.client_disconnected", "error.type") == [
        2,
        True,
        None,
    ]


async def test_a_request_whose_task_is_cancelled_is_a_warning_and_stays_cancelled(fapilog_logs: CapturedLogs):
    started = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    wire = Wire()
    serving = asyncio.ensure_future(RequestLoggingMiddleware(app, SETTINGS)(scope(), wire.receive, wire.send))
    await started.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    record = the_record(fapilog_logs)
    assert (record.severity_text, *some(record, "error.type", "http.response.status_code")) == (
        "WARN",
        "asyncio.CancelledError",
        None,
    )


async def test_an_application_that_answers_nothing_is_an_error(fapilog_logs: CapturedLogs):
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    wire = Wire()
    await RequestLoggingMiddleware(app, SETTINGS)(scope(), wire.receive, wire.send)
    record = the_record(fapilog_logs)
    assert (record.severity_text, *some(record, "error.type")) == ("ERROR", "incomplete_response")


async def test_a_failure_after_the_response_began_keeps_its_status_and_says_what_failed(
    fapilog_logs: CapturedLogs,
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"te", "more_body": True})
        raise RuntimeError("the pot is empty")

    wire = Wire()
    with pytest.raises(RuntimeError):
        await RequestLoggingMiddleware(app, SETTINGS)(scope(), wire.receive, wire.send)
    record = the_record(fapilog_logs)
    assert record.severity_text == "ERROR"
    assert some(record, "http.response.status_code", "error.type") == [200, "RuntimeError"]


async def test_only_the_header_with_the_id_is_added_and_the_applications_own_stays(
    fapilog_logs: CapturedLogs,
):
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    body = {"type": "http.response.body", "body": b"tea"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send(body)

    wire = Wire()
    served = RequestLoggingMiddleware(app, SETTINGS)
    for _ in range(2):
        await served(scope(headers=[(b"x-request-id", b"r-1")]), wire.receive, wire.send)
    assert start["headers"] == [(b"content-type", b"text/plain")]
    assert wire.sent[1] is body
    assert wire.sent[2] == {
        **start,
        "headers": [(b"content-type", b"text/plain"), (b"x-correlation-id", b"r-1")],
    }
    start["headers"] = [(b"X-Correlation-ID", b"its own")]
    await served(scope(headers=[(b"x-request-id", b"r-1")]), wire.receive, wire.send)
    assert wire.sent[4] is start


async def test_what_is_not_a_request_passes_untouched():
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    wire = Wire()
    lifespan, receive, send = {"type": "lifespan"}, wire.receive, wire.send
    await RequestLoggingMiddleware(app, SETTINGS)(lifespan, receive, send)
    assert seen == [({"type": "lifespan"}, receive, send)]


async def test_a_scope_that_no_server_makes_still_reaches_the_application(fapilog_logs: CapturedLogs):
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    middleware = RequestLoggingMiddleware(app, SETTINGS)
    await middleware({"type": "http"}, None, None)
    assert seen == [{"type": "http"}]
    assert middleware.plan.own_errors.count == 1
    assert fapilog_logs.find_all(event_name=HTTP_EVENT) == []


def sockets() -> FastAPI:
    app = FastAPI()

    @app.websocket("/rooms/{room}")
    async def chat(websocket: WebSocket, room: str) -> None:
        if room == "closed":
            await websocket.close()
            return
        await websocket.accept()
        async for text in websocket.iter_text():
            if text == "fail":
                raise RuntimeError("no")
            if text == "bye":
                await websocket.close(1000)
                return
            log.info("heard")
            await websocket.send_text(text * 2)

    return instrument_fastapi(app, SETTINGS)


def test_a_websocket_connection_is_one_record_with_what_passed(fapilog_logs: CapturedLogs):
    with TestClient(sockets()).websocket_connect("/rooms/tea", headers={"X-Request-ID": "w-1"}) as socket:
        socket.send_text("hé")
        assert socket.receive_text() == "héhé"
        socket.send_text("bye")
    record = the_record(fapilog_logs, WEBSOCKET_EVENT)
    assert (record.severity_text, record.body) == ("INFO", "WS /rooms/{room} 101")
    assert some(
        record,
        "http.route",
        "network.protocol.name",
        "fapilog.websocket.received_messages",
        "fapilog.websocket.sent_messages",
        "fapilog.websocket.close_code",
        "http.request.body.size",
        "http.response.body.size",
        "fapilog.correlation_id",
    ) == ["/rooms/{room}", "websocket", 2, 1, 1000, 6, 6, "w-1"]
    assert fapilog_logs.find(body="heard").attributes["fapilog.correlation_id"] == "w-1"


def test_the_acceptance_of_a_websocket_carries_the_id():
    with TestClient(sockets()).websocket_connect("/rooms/tea", headers={"X-Request-ID": "w-1"}) as socket:
        headers = dict(socket.extra_headers)
    assert headers[b"x-correlation-id"] == b"w-1"


def test_a_websocket_that_the_client_leaves_is_no_error(fapilog_logs: CapturedLogs):
    with TestClient(sockets()).websocket_connect("/rooms/tea"):
        pass
    record = the_record(fapilog_logs, WEBSOCKET_EVENT)
    assert (record.severity_text, *some(record, "fapilog.websocket.close_code")) == ("INFO", 1000)


def test_a_websocket_that_is_refused_has_the_status_that_the_client_gets(fapilog_logs: CapturedLogs):
    with pytest.raises(WebSocketDisconnect), TestClient(sockets()).websocket_connect("/rooms/closed"):
        pass
    record = the_record(fapilog_logs, WEBSOCKET_EVENT)
    assert (record.severity_text, record.body) == ("WARN", "WS /rooms/{room} 403")


def test_a_websocket_whose_endpoint_fails_is_an_error(fapilog_logs: CapturedLogs):
    def fail() -> None:
        with TestClient(sockets()).websocket_connect("/rooms/tea") as socket:
            socket.send_text("fail")
            socket.receive_text()

    with pytest.raises(RuntimeError):
        fail()
    record = the_record(fapilog_logs, WEBSOCKET_EVENT)
    assert (record.severity_text, *some(record, "error.type")) == ("ERROR", "RuntimeError")


@pytest.mark.parametrize("echo", ["X-Correlation-ID", None])
async def test_headers_that_can_be_read_only_once_arrive(echo: str | None, fapilog_logs: CapturedLogs):
    async def app(asked: Any, receive: Any, send: Any) -> None:
        assert list(asked["headers"]) == [(b"x-request-id", b"r-1")]
        headers = ((name, b"tea") for name in (b"content-type", b"set-cookie"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    settings = RequestLogging(
        spans="none",
        correlation={"response_header": echo},
        capture={"response_headers": ["content-type"]},
    )
    wire = Wire()
    asked = {**scope(), "headers": iter([(b"x-request-id", b"r-1")])}
    await RequestLoggingMiddleware(app, settings)(asked, wire.receive, wire.send)
    own = [(b"content-type", b"tea"), (b"set-cookie", b"tea")]
    assert wire.sent[0]["headers"] == own + ([(b"x-correlation-id", b"r-1")] if echo else [])
    assert some(the_record(fapilog_logs), "http.response.header.content-type") == [["tea"]]
