"""Loggers of a request, and on whose behalf it is: on every later record, in every kind of endpoint."""

import asyncio
import threading
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from starlette.middleware.base import BaseHTTPMiddleware

import fapilog
from fapilog.exporters import memory
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import (
    RequestLogger,
    bind_tenant,
    bind_user,
    get_request_logger,
    instrument_fastapi,
    request_attributes,
    request_logger,
)
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.failures import HTTP_EVENT as EXCEPTION
from instrumentation.fastapi.tests.calling import client

plain = fapilog.get_logger("plain")
audit = request_logger("shop.audit", area="orders")


async def user(request: Request) -> str:
    bind_user("u-7", roles=["admin"], **{"enduser.id": "e-7"})
    bind_tenant("acme", **{"tenant.name": "Acme"})
    return "u-7"


def user_in_a_thread() -> None:
    bind_user("t-1")


def shop(is_instrumented: bool = True, **options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/async/{order_id}")
    async def read(order_id: int, who: Annotated[str, Depends(user)], log: RequestLogger) -> None:
        log.info("by the request's logger")
        plain.info("by another")

    @app.get("/sync/{order_id}")
    def read_in_a_thread(
        order_id: int,
        who: Annotated[str, Depends(user)],
        log: fapilog.Logger = Depends(get_request_logger),  # noqa: B008 - FastAPI's older form
        trail: fapilog.Logger = Depends(audit),  # noqa: B008
    ) -> None:
        log.info("by the request's logger")
        trail.info("trail")
        plain.info("by another")

    @app.get("/fail", dependencies=[Depends(user)])
    async def fail() -> None:
        raise RuntimeError("no")

    @app.get("/thread", dependencies=[Depends(user_in_a_thread)])
    async def bound_in_a_thread(log: RequestLogger) -> None:
        log.info("by the request's logger")
        plain.info("by another")

    @app.websocket("/rooms/{room}")
    async def chat(websocket: WebSocket, room: str, log: RequestLogger) -> None:
        await websocket.accept()
        bind_user("w-1")
        log.info("joined")
        plain.info("by another")
        await websocket.close()

    return instrument_fastapi(app, spans="none", **options) if is_instrumented else app


WHO = {
    "user.id": "u-7",
    "user.roles": ["admin"],
    "enduser.id": "e-7",
    "tenant.id": "acme",
    "tenant.name": "Acme",
}


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_its_records_have_the_route_the_id_and_whom_it_is_for(kind: str, fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        await http.get(f"/{kind}/1", headers={"X-Request-ID": "r-1"})
    record = fapilog_logs.find(body="by the request's logger")
    assert record.scope_name == __name__
    assert record.attributes == {
        "fapilog.correlation_id": "r-1",
        "http.route": f"/{kind}/{{order_id}}",
        **WHO,
    }
    assert fapilog_logs.find(body="by another").attributes == {"fapilog.correlation_id": "r-1", **WHO}


async def test_several_loggers_have_names_and_attributes_of_their_own(fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        await http.get("/sync/1")
    record = fapilog_logs.find(body="trail")
    assert (record.scope_name, record.attributes["area"]) == ("shop.audit", "orders")


async def test_the_access_record_and_the_exception_record_say_whom_it_was_for(fapilog_logs: CapturedLogs):
    app = shop()
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    async with client(app) as http:
        await http.get("/fail")
    for event in (HTTP_EVENT, EXCEPTION):
        assert fapilog_logs.find(event_name=event).attributes.items() >= WHO.items()


async def test_nobody_is_left_for_the_next_request(fapilog_logs: CapturedLogs):
    async with client(shop()) as http:
        await http.get("/fail")
        fapilog_logs.clear()
        await http.get("/nowhere")
        plain.info("after")
    assert not WHO.keys() & fapilog_logs.find(event_name=HTTP_EVENT).attributes.keys()
    assert fapilog_logs.find(body="after").attributes == {}


@pytest.mark.parametrize("behind", [False, True])
async def test_what_a_sync_dependency_binds_is_on_every_later_record_of_the_request_and_on_no_other(
    behind: bool, fapilog_logs: CapturedLogs
):
    app = shop()
    if behind:
        # It runs what is below in a task of its own.
        app.add_middleware(BaseHTTPMiddleware, dispatch=then_log)
    async with client(app) as http:
        await http.get("/thread")
        plain.info("afterwards")
        await http.get("/async/1")
    found = [record.attributes.get("user.id") for record in fapilog_logs if record.body == "by another"]
    assert found == ["t-1", "u-7"]
    assert fapilog_logs.find(body="by the request's logger").attributes["user.id"] == "t-1"
    assert fapilog_logs.find(event_name=HTTP_EVENT).attributes["user.id"] == "t-1"
    assert "user.id" not in fapilog_logs.find(body="afterwards").attributes
    if behind:
        found = [record.attributes["user.id"] for record in fapilog_logs.find_all(body="behind")]
        assert found == ["t-1", "u-7"]


async def then_log(request: Request, call_next: Any) -> Any:
    response = await call_next(request)
    plain.info("behind")
    return response


async def test_requests_at_the_same_time_share_nothing_that_their_threads_bind(fapilog_logs: CapturedLogs):
    app = FastAPI()
    met = threading.Barrier(8)

    def who(name: str) -> None:
        bind_user(name)
        # All of them have bound before any goes on.
        met.wait(30)
        plain.info("in the dependency")

    @app.get("/", dependencies=[Depends(who)])
    async def read(name: str) -> None:
        plain.info("in the endpoint")

    async with client(instrument_fastapi(app, spans="none")) as http:
        await asyncio.gather(
            *(http.get(f"/?name=u-{n}", headers={"X-Request-ID": f"r-{n}"}) for n in range(8))
        )
    ids = [
        (record.attributes["fapilog.correlation_id"][2:], record.attributes["user.id"][2:])
        for record in fapilog_logs
        if record.scope_name in {"plain", "fapilog.http"}
    ]
    assert len(ids) == 24
    assert [pair for pair in ids if pair[0] != pair[1]] == []


async def test_an_enricher_may_ask_what_is_bound():
    settings = fapilog.Settings.load(environ={})
    with (
        fapilog.LoggerProvider(
            settings=settings, exporters=["memory"], enrichers=[request_attributes]
        ) as provider,
    ):
        app = FastAPI()
        own = provider.logger("plain")

        @app.get("/", dependencies=[Depends(user_in_a_thread)])
        async def read() -> None:
            own.info("by another")

        instrument_fastapi(app, spans="none", logger_provider=provider)
        async with client(app) as http:
            await http.get("/")
        assert provider.force_flush()
        found = fapilog_memory()
    assert [record.attributes["user.id"] for record in found] == ["t-1", "t-1"]


def fapilog_memory() -> list[Any]:
    return [each.log_record for each in memory.newest().get_finished_logs()]


def test_it_works_for_a_websocket(fapilog_logs: CapturedLogs):
    with TestClient(shop()).websocket_connect("/rooms/tea", headers={"X-Request-ID": "w-1"}):
        pass
    assert fapilog_logs.find(body="joined").attributes == {
        "fapilog.correlation_id": "w-1",
        "http.route": "/rooms/{room}",
        "user.id": "w-1",
    }
    assert fapilog_logs.find(body="by another").attributes["user.id"] == "w-1"


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_without_the_middleware_it_is_a_plain_logger(kind: str, fapilog_logs: CapturedLogs):
    assert TestClient(shop(is_instrumented=False)).get(f"/{kind}/1").status_code == 200
    record = fapilog_logs.find(body="by the request's logger")
    assert (record.scope_name, record.attributes) == (__name__, WHO)


async def test_a_test_may_put_another_logger_in_its_place(fapilog_logs: CapturedLogs):
    app = shop()
    app.dependency_overrides[get_request_logger] = lambda: fapilog.get_logger("double")
    async with client(app) as http:
        await http.get("/async/1")
    assert fapilog_logs.find(body="by the request's logger").scope_name == "double"


BAGGAGE = "tier=gold,account=1,secret=x,bad=a%0Ab,long=" + "x" * 300


@pytest.mark.parametrize("spans", ["none", "contrib"])
async def test_baggage_members_that_are_allowed_are_on_every_record(spans: str, fapilog_logs: CapturedLogs):
    app = FastAPI()

    @app.get("/")
    async def read() -> None:
        plain.info("read")

    instrument_fastapi(app, spans=spans, baggage={"keys": ["tier", "bad", "long", "missing"]})
    async with client(app) as http:
        await http.get("/", headers={"baggage": BAGGAGE})
        await http.get("/")
    first, second = fapilog_logs.find_all(body="read")
    assert [key for key in first.attributes if "." in key] == ["fapilog.correlation_id", "baggage.tier"]
    assert first.attributes["baggage.tier"] == "gold"
    assert "baggage.tier" not in second.attributes
    assert fapilog_logs.find_all(event_name=HTTP_EVENT)[0].attributes["baggage.tier"] == "gold"
