"""A route may have settings of its own; several applications with the same endpoint stay apart."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

import fapilog
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, instrument_fastapi, request_options
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.bodies import REQUEST_BODY
from instrumentation.fastapi.tests.calling import client

SETTINGS = RequestLogging(spans="none")


async def paths(app: Any, logs: CapturedLogs, *asked: str) -> list[str]:
    logs.clear()
    async with client(app) as http:
        for path in asked:
            await http.get(path)
    return [record.attributes["url.path"] for record in logs.find_all(event_name=HTTP_EVENT)]


async def test_a_route_may_have_no_access_record_another_sample_and_another_logger(
    fapilog_logs: CapturedLogs,
):
    app = FastAPI()

    @app.get("/healthz")
    @request_options(access=False)
    async def healthz() -> None: ...

    @request_options(sample_ratio=0)
    @app.get("/often")
    def often(status: int = 200) -> None:
        if status == 500:
            raise RuntimeError("no")

    @app.get("/slow")
    @request_options(sample_ratio=0)
    @request_options(slow_seconds=1e-9, logger="shop.slow")
    async def slow() -> None: ...

    @app.get("/other")
    async def other() -> None: ...

    instrument_fastapi(app, SETTINGS)
    asked = ("/healthz", "/often", "/often?status=500", "/slow", "/other")
    assert await paths(app, fapilog_logs, *asked) == ["/often", "/slow", "/other"]
    scopes = [record.scope_name for record in fapilog_logs.find_all(event_name=HTTP_EVENT)]
    assert scopes == ["fapilog.http", "shop.slow", "fapilog.http"]


async def test_a_router_gives_its_options_to_its_routes_and_theirs_win(fapilog_logs: CapturedLogs):
    router = APIRouter(prefix="/internal")

    @router.get("/a")
    async def a() -> None: ...

    @router.get("/b")
    @request_options(access=True)
    async def b() -> None: ...

    inner = FastAPI()

    @inner.get("/c")
    async def c() -> None: ...

    request_options(access=False)(router)
    app = FastAPI()
    app.include_router(router)
    app.mount("/inner", request_options(access=False)(inner))
    instrument_fastapi(app, SETTINGS)
    assert await paths(app, fapilog_logs, "/internal/a", "/internal/b", "/inner/c") == ["/internal/b"]


async def test_a_mounted_application_without_routes_has_options_too(
    tmp_path: Any, fapilog_logs: CapturedLogs
):
    (tmp_path / "tea.txt").write_text("tea")
    app = FastAPI()
    app.mount("/static", request_options(access=False)(StaticFiles(directory=tmp_path)))
    instrument_fastapi(app, SETTINGS)
    assert await paths(app, fapilog_logs, "/static/tea.txt", "/nowhere") == ["/nowhere"]


async def test_two_applications_with_one_endpoint_stay_apart(fapilog_logs: CapturedLogs):
    @request_options(slow_seconds=1e-9)
    async def endpoint() -> None: ...

    apps = []
    for enabled in (True, False):
        app = FastAPI()
        app.get("/")(endpoint)
        apps.append(instrument_fastapi(app, SETTINGS, access={"enabled": enabled}))
    assert [await paths(app, fapilog_logs, "/") for app in apps] == [["/"], []]


def test_options_that_are_wrong_are_refused_where_they_are_written():
    with pytest.raises(fapilog.ConfigurationError, match="sample_ratio has a value that is not allowed"):
        request_options(sample_ratio=7)
    with pytest.raises(fapilog.ConfigurationError, match="request_options is not the name of a setting"):
        request_options(spans="none")  # type: ignore[call-arg]


async def test_a_method_may_be_an_endpoint(fapilog_logs: CapturedLogs):
    class Views:
        async def read(self) -> None: ...

    views = Views()
    app = FastAPI()
    app.get("/")(request_options(access=False)(views.read))
    instrument_fastapi(app, SETTINGS)
    assert await paths(app, fapilog_logs, "/") == []


@pytest.mark.parametrize("reader", [None, "pure", "base"])
async def test_options_of_a_route_in_a_mounted_application_count_whoever_reads_the_body_before(
    reader: str | None, fapilog_logs: CapturedLogs
):
    shop = FastAPI()

    @shop.post("/quiet")
    @request_options(access=False)
    async def quiet(order: dict[str, str]) -> None: ...

    @shop.post("/private")
    @request_options(request_body="never")
    async def private(order: dict[str, str]) -> None: ...

    @shop.post("/asked")
    @request_options(request_body="always")
    async def asked(order: dict[str, str]) -> None: ...

    if reader == "base":

        @shop.middleware("http")
        async def read(request: Any, call_next: Any) -> Any:
            await request.body()
            return await call_next(request)

    elif reader == "pure":
        shop.add_middleware(ReadsFirst)
    written = []
    for body in ("always", "never"):
        app = FastAPI()
        app.mount("/shop", shop)
        instrument_fastapi(app, SETTINGS, capture={"request_body": body})
        fapilog_logs.clear()
        async with client(app) as http:
            for path in ("/shop/quiet", "/shop/private", "/shop/asked"):
                await http.post(path, json={"item": "tea"})
        found = fapilog_logs.find_all(event_name=HTTP_EVENT)
        written += [(record.attributes["url.path"], record.attributes.get(REQUEST_BODY)) for record in found]
    assert written == [("/shop/private", None), ("/shop/asked", {"item": "tea"})] * 2


class ReadsFirst:
    """Middleware that receives before it calls what is below."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        waiting = [await receive()]

        async def again() -> Any:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, again, send)
