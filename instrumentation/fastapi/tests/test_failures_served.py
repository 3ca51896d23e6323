"""Under a real server an unhandled exception is one record too: the server logs it, and that is none."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn
from fastapi import FastAPI

import fapilog
from fapilog.exporters import memory
from fapilog_instrumentation_fastapi import instrument_fastapi
from tests.servers.ports import free_ports


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def fail() -> None:
        raise LookupError("no such order")

    return instrument_fastapi(app)


async def ask_uvicorn(app: Any, port: int) -> int:
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off"))
    serving = asyncio.ensure_future(server.serve())
    status = await asked(port)
    server.should_exit = True
    await serving
    return status


async def ask_hypercorn(app: Any, port: int) -> int:
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    ended = asyncio.Event()
    serving = asyncio.ensure_future(hypercorn.asyncio.serve(app, config, shutdown_trigger=ended.wait))  # type: ignore[arg-type]
    status = await asked(port)
    ended.set()
    await serving
    return status


async def asked(port: int) -> int:
    """Ask until the server listens."""
    async with httpx.AsyncClient() as http:
        for _ in range(1_000):
            try:
                return (await http.get(f"http://127.0.0.1:{port}/")).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
    raise TimeoutError("the server does not listen")


@pytest.mark.parametrize(
    ("serve", "name"), [(ask_uvicorn, "uvicorn.error"), (ask_hypercorn, "hypercorn.error")]
)
async def test_what_a_server_logs_of_an_exception_is_no_second_record(
    serve: Any, name: str, configure: Callable[..., fapilog.Telemetry]
):
    telemetry = configure(exporters=["memory"])
    heard: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = heard.append  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        assert await serve(shop(), free_ports(1)[0]) == 500
    finally:
        logger.removeHandler(handler)
    assert telemetry.force_flush()
    records = [each.log_record for each in memory.newest().get_finished_logs()]
    assert [r.event_name for r in records if "exception.type" in r.attributes] == [
        "http.server.request.exception"
    ]
    assert {record.name for record in heard} <= {name}
