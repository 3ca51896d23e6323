"""Two services: `front` calls `stock` over HTTP with each client library; both log what they are asked.

`opentelemetry-instrument` has set up telemetry and spans; PEER is the URL of the other one. aiohttp sends the
trace by a trace config, as its instrumentation would.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import httpx2
import requests
from fastapi import BackgroundTasks, FastAPI, Request
from opentelemetry.propagate import inject

import fapilog
from fapilog_instrumentation_fastapi import health_router

log = fapilog.get_logger("services")
STOCK = f"{os.environ.get('PEER')}/stock"


async def _inject(_: Any, __: Any, params: Any) -> None:
    inject(params.headers)


@asynccontextmanager
async def clients(app: FastAPI) -> AsyncIterator[None]:
    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(_inject)
    async with (
        httpx.AsyncClient() as app.state.httpx,
        httpx2.AsyncClient() as app.state.httpx2,
        aiohttp.ClientSession(trace_configs=[tracing]) as app.state.aiohttp,
    ):
        yield


app = FastAPI(lifespan=clients)
app.include_router(health_router())


@app.get("/stock")
def stock(request: Request) -> None:
    log.info("stock", seen_baggage=request.headers.get("baggage"))


@app.get("/httpx")
async def by_httpx(request: Request) -> None:
    log.info("front")
    await request.app.state.httpx.get(STOCK)


@app.get("/httpx2")
async def by_httpx2(request: Request) -> None:
    log.info("front")
    headers: dict[str, str] = {}
    inject(headers)
    await request.app.state.httpx2.get(STOCK, headers=headers)


@app.get("/requests")
def by_requests() -> None:
    log.info("front")
    requests.get(STOCK, timeout=20)


@app.get("/aiohttp")
async def by_aiohttp(request: Request) -> None:
    log.info("front")
    async with request.app.state.aiohttp.get(STOCK):
        pass


@app.get("/background")
async def in_the_background(tasks: BackgroundTasks) -> None:
    log.info("front")
    tasks.add_task(by_requests_later)


def by_requests_later() -> None:
    requests.get(STOCK, timeout=20)
