"""Every request has one access record, with the attributes of OpenTelemetry's conventions."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI

import fapilog
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    RequestLoggingMiddleware,
    instrument_fastapi,
    uninstrument_fastapi,
)
from fapilog_instrumentation_fastapi.access import DURATION, HTTP_EVENT
from instrumentation.fastapi.tests.calling import Wire, client, scope

log = fapilog.get_logger("shop")


def shop(**options: Any) -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/orders")

    @router.get("/{order_id}")
    async def read(order_id: int) -> dict[str, int]:
        log.info("read")
        return {"order_id": order_id}

    @router.get("/{order_id}/receipt")
    def receipt(order_id: int) -> None:
        log.info("from a thread")
        raise RuntimeError("the printer is on fire")

    inner = FastAPI()

    @inner.get("/stock/{item}")
    def stock(item: str) -> str:
        return item

    app.include_router(router, prefix="/v1")
    app.mount("/tenants/{tenant}", inner)
    return instrument_fastapi(app, spans="none", **options)


def access(logs: CapturedLogs) -> list[Any]:
    return logs.find_all(event_name=HTTP_EVENT)


async def test_a_success_is_one_info_record_with_the_route_the_sizes_and_the_client(
    fapilog_logs: CapturedLogs,
):
    async with client(shop()) as http:
        answer = await http.get(
            "/v1/orders/42?page=2", headers={"X-Request-ID": "r-1", "User-Agent": "curl/8"}
        )
    [record] = access(fapilog_logs)
    assert (record.severity_text, record.body, record.scope_name) == (
        "INFO",
        "GET /v1/orders/{order_id} 200",
        "fapilog.http",
    )
    assert 0 < record.attributes.pop(DURATION) < 60
    assert record.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/orders/{order_id}",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": len(answer.content),
        "url.scheme": "http",
        "url.path": "/v1/orders/42",
        "url.query": "page=2",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "client.port": 123,
        "server.address": "shop.example",
        "server.port": 80,
        "user_agent.original": "curl/8",
        "fapilog.correlation_id": "r-1",
    }


async def test_the_id_goes_back_and_every_record_below_carries_it(fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        given = await http.get("/v1/orders/1", headers={"X-Correlation-ID": "given-1"})
        made = await http.get("/v1/orders/1", headers={"X-Correlation-ID": "not valid"})
        await http.get("/v1/orders/1/receipt", headers={"X-Correlation-ID": "thread-1"})
    ids = [
        record.attributes["fapilog.correlation_id"] for record in fapilog_logs if "shop" in record.scope_name
    ]
    assert given.headers["x-correlation-id"] == "given-1"
    assert len(made.headers["x-correlation-id"]) == 32
    assert ids == ["given-1", made.headers["x-correlation-id"], "thread-1"]
    assert [record.attributes["fapilog.correlation_id"] for record in access(fapilog_logs)] == ids


async def test_an_unhandled_exception_is_an_error_with_its_type_and_the_status_that_was_sent(
    fapilog_logs: CapturedLogs,
):
    async with client(shop()) as http:
        answer = await http.get("/v1/orders/1/receipt")
    [record] = access(fapilog_logs)
    assert (answer.status_code, record.severity_text) == (500, "ERROR")
    assert record.attributes["error.type"] == "RuntimeError"
    assert record.attributes["http.response.status_code"] == 500


async def test_a_mounted_application_has_the_template_of_its_mount_and_no_record_of_its_own(
    fapilog_logs: CapturedLogs,
):
    async with client(shop()) as http:
        await http.get("/tenants/acme/stock/tea")
    [record] = access(fapilog_logs)
    assert record.attributes["http.route"] == "/tenants/{tenant}/stock/{item}"


@pytest.mark.parametrize(("severity", "expected"), [("warn", "WARN"), ("info", "INFO"), ("error", "ERROR")])
async def test_a_response_of_400_to_499_has_the_severity_of_the_settings_and_no_route(
    severity: str, expected: str, fapilog_logs: CapturedLogs
):
    async with client(shop(access={"client_error_severity": severity})) as http:
        await http.get("/nowhere")
    [record] = access(fapilog_logs)
    assert (record.severity_text, record.body) == (expected, "GET 404")
    assert not {"http.route", "error.type"} & record.attributes.keys()


async def test_dependencies_and_tasks_in_threads_belong_to_the_request(fapilog_logs: CapturedLogs):
    app = FastAPI()

    def sync_dependency() -> str:
        log.info("sync dependency")
        return "tea"

    async def async_dependency(item: Annotated[str, Depends(sync_dependency)]) -> AsyncIterator[str]:
        log.info("async dependency")
        yield item
        logging.getLogger("legacy").warning("after the response")

    def task() -> None:
        log.info("task in a thread")

    @app.get("/")
    def read(item: Annotated[str, Depends(async_dependency)], tasks: BackgroundTasks) -> str:
        tasks.add_task(task)
        asyncio.run(asyncio.to_thread(log.info, "thread of a thread"))
        return item

    async with client(instrument_fastapi(app, spans="none")) as http:
        await http.get("/", headers={"X-Request-ID": "r-1"})
    ids = {
        record.body: record.attributes.get("fapilog.correlation_id")
        for record in fapilog_logs
        if record.scope_name in {"shop", "legacy", "fapilog.http"}
    }
    assert ids == dict.fromkeys(
        [
            "sync dependency",
            "async dependency",
            "thread of a thread",
            "GET / 200",
            "after the response",
            "task in a thread",
        ],
        "r-1",
    )


def test_a_silenced_uvicorn_access_log_is_no_record_of_ours(fapilog_logs: CapturedLogs):
    logging.getLogger("uvicorn.access").warning("one")
    app = shop(access={"silence_uvicorn": True})
    logging.getLogger("uvicorn.access").warning("two")
    uninstrument_fastapi(app)
    assert "one" in fapilog_logs.bodies
    assert "two" not in fapilog_logs.bodies


async def test_a_connection_that_broke_is_written_whatever_the_share_of_successes(fapilog_logs: CapturedLogs):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    wire = Wire({"type": "http.disconnect"})
    settings = RequestLogging(access={"sample_ratio": 0})
    await RequestLoggingMiddleware(app, settings)(scope(), wire.receive, wire.send)
    [record] = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert record.attributes["fapilog.http.client_disconnected"] is True


async def test_a_task_that_trio_cancelled_is_no_failure(fapilog_logs: CapturedLogs):
    cancelled = type("Cancelled", (BaseException,), {"__module__": "trio"})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise cancelled

    wire = Wire()
    with pytest.raises(cancelled):
        await RequestLoggingMiddleware(app, RequestLogging())(scope(), wire.receive, wire.send)
    [record] = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert (record.severity_text, record.attributes["error.type"]) == ("WARN", "trio.Cancelled")
    assert "http.response.status_code" not in record.attributes
