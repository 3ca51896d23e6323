"""`http.route` is the whole template, whatever the router is made of; never the path."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware, instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from instrumentation.fastapi.tests.calling import client

SETTINGS = RequestLogging(spans="none")


async def answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("tea")


async def other(request: Any) -> PlainTextResponse:
    return PlainTextResponse("cup")


def get(router: Any, path: str) -> None:
    @router.get(path)
    async def read() -> str:
        return "tea"


def fastapi_app(folder: Path) -> FastAPI:
    app, shop, orders, admin, inner = (
        FastAPI(),
        APIRouter(),
        APIRouter(prefix="/orders"),
        FastAPI(),
        FastAPI(),
    )
    get(app, "/plain/{item}")
    get(orders, "/{order_id}")
    get(inner, "/users/{user}")
    get(admin, "/health")
    shop.include_router(orders, prefix="/shop")
    shop.mount("/files", StaticFiles(directory=folder))
    app.include_router(shop, prefix="/v1")
    app.include_router(shop, prefix="/v2")
    admin.mount("/tenants/{tenant}", inner)
    app.mount("/admin", admin)
    app.add_route("/old/{item}", answer)
    return app


def starlette_app(folder: Path) -> Starlette:
    return Starlette(
        routes=[
            Route("/items/{item:int}", answer),
            Route("/twice/{one}", other),
            Route("/twice/again/{two}", other),
            Mount(
                "/mounted/{place}",
                routes=[Route("/deep/{item}", answer), Mount("/more", app=Router([Route("/{x}", other)]))],
            ),
            Mount("/inner", app=fastapi_app(folder)),
            Host("api.example", Router([Route("/hosted/{item}", answer)])),
        ]
    )


async def route_of(app: Any, path: str, logs: CapturedLogs, method: str = "GET", **more: Any) -> Any:
    async with client(app) as http:
        await http.request(method, path, **more)
    return logs.find_all(event_name=HTTP_EVENT)[-1].attributes.get("http.route")


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/plain/7", "/plain/{item}"),
        ("/v1/shop/orders/7", "/v1/shop/orders/{order_id}"),
        ("/v2/shop/orders/7", "/v2/shop/orders/{order_id}"),
        ("/admin/health", "/admin/health"),
        ("/admin/tenants/acme/users/ann", "/admin/tenants/{tenant}/users/{user}"),
        ("/admin/tenants/acme/nowhere", "/admin/tenants/{tenant}/{path}"),
        ("/old/7", "/old/{item}"),
        ("/docs", "/docs"),
        ("/v1/files/tea.txt", "/v1/files/{path}"),
        ("/nowhere/7", None),
        ("/plain/7/", None),
    ],
)
async def test_routes_of_fastapi(path: str, template: str | None, tmp_path: Path, fapilog_logs: CapturedLogs):
    (tmp_path / "tea.txt").write_text("tea")
    app = instrument_fastapi(fastapi_app(tmp_path), SETTINGS)
    assert [await route_of(app, path, fapilog_logs) for _ in range(2)] == [template] * 2


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/items/7", "/items/{item}"),
        ("/twice/1", "/twice/{one}"),
        ("/twice/again/2", "/twice/again/{two}"),
        ("/mounted/here/deep/7", "/mounted/{place}/deep/{item}"),
        ("/mounted/here/more/7", "/mounted/{place}/more/{x}"),
        ("/mounted/here/nowhere", "/mounted/{place}/{path}"),
        ("/mounted/here/more/no/where", "/mounted/{place}/more/{path}"),
        ("/inner/plain/7", "/inner/plain/{item}"),
        ("/inner/old/7", "/inner/old/{item}"),
        ("/inner/docs", "/inner/docs"),
        ("/inner/nowhere", "/inner/{path}"),
        ("/nowhere", None),
    ],
)
@pytest.mark.parametrize("by_hand", [True, False])
async def test_routes_of_starlette(
    path: str, template: str | None, by_hand: bool, tmp_path: Path, fapilog_logs: CapturedLogs
):
    app = starlette_app(tmp_path)
    if by_hand:
        app.add_middleware(RequestLoggingMiddleware, settings=SETTINGS)
    else:
        instrument_fastapi(app, SETTINGS)
    assert [await route_of(app, path, fapilog_logs) for _ in range(2)] == [template] * 2


async def test_a_route_of_a_host_is_found(tmp_path: Path, fapilog_logs: CapturedLogs):
    app = instrument_fastapi(starlette_app(tmp_path), SETTINGS)
    found = await route_of(app, "/hosted/7", fapilog_logs, headers={"host": "api.example"})
    assert found == "/hosted/{item}"


async def test_a_wrong_method_has_the_route_that_it_met(tmp_path: Path, fapilog_logs: CapturedLogs):
    app = instrument_fastapi(fastapi_app(tmp_path), SETTINGS)
    assert await route_of(app, "/plain/7", fapilog_logs, "DELETE") == "/plain/{item}"
    assert fapilog_logs.find(event_name=HTTP_EVENT).attributes["http.response.status_code"] == 405


@pytest.mark.parametrize("make", [fastapi_app, starlette_app])
async def test_the_root_of_an_application_is_a_part_of_its_routes(
    make: Any, tmp_path: Path, fapilog_logs: CapturedLogs
):
    """Semantic conventions, `http.route`: SHOULD include the application root if there is one."""
    app = instrument_fastapi(make(tmp_path), SETTINGS)
    wanted = {
        fastapi_app: [
            ("/plain/7", "/plain/{item}"),
            ("/admin/plain/7", None),
            ("/admin/health", "/admin/health"),
        ],
        starlette_app: [("/items/7", "/items/{item}"), ("/mounted/a/deep/b", "/mounted/{place}/deep/{item}")],
    }[make]
    for path, template in wanted:
        transport = httpx.ASGITransport(app=app, root_path="/behind")
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as http:
            await http.get(f"/behind{path}")
        found = fapilog_logs.find_all(event_name=HTTP_EVENT)[-1].attributes.get("http.route")
        assert found == (f"/behind{template}" if template else "/behind/admin/{path}")


class Copying:
    """A middleware that gives a copy of the scope on, as some do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(dict(scope), receive, send)


class Based(BaseHTTPMiddleware):
    async def dispatch(self, request: Any, call_next: Any) -> Any:
        return await call_next(request)


@pytest.mark.parametrize("kind", [Copying, Based])
@pytest.mark.parametrize("make", [fastapi_app, starlette_app])
async def test_middleware_between_us_and_the_router_hides_no_route(
    kind: Any, make: Any, tmp_path: Path, fapilog_logs: CapturedLogs
):
    app = make(tmp_path)
    app.user_middleware.append(Middleware(kind))
    instrument_fastapi(app, SETTINGS)
    wanted = {
        fastapi_app: [
            ("/v1/shop/orders/7", "/v1/shop/orders/{order_id}"),
            ("/admin/tenants/a/users/b", "/admin/tenants/{tenant}/users/{user}"),
        ],
        starlette_app: [("/items/7", "/items/{item}"), ("/mounted/a/deep/b", "/mounted/{place}/deep/{item}")],
    }[make]
    assert [await route_of(app, path, fapilog_logs) for path, _ in wanted] == [
        template for _, template in wanted
    ]
