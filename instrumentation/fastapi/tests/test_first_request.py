"""Threads may make the first request of an application at once; the stack of middleware is built for all."""

import asyncio
import threading
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as ContribInstrumentor

from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.handlers import chain
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from instrumentation.fastapi.tests.calling import client

DEADLINE = 30.0


class Building:
    """Middleware whose constructor waits until a second thread asks for the stack, too."""

    second: threading.Event

    def __init__(self, app: Any) -> None:
        self.app = app
        assert Building.second.wait(DEADLINE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def applications() -> dict[str, Any]:
    def none() -> FastAPI:
        return instrument_fastapi(FastAPI(), spans="none")

    def contrib() -> FastAPI:
        return instrument_fastapi(FastAPI(), spans="contrib")

    def contrib_afterwards() -> FastAPI:
        app = instrument_fastapi(FastAPI())
        ContribInstrumentor.instrument_app(app)
        return app

    return {"none": none, "contrib": contrib, "contrib afterwards": contrib_afterwards}


@pytest.mark.parametrize("how", list(applications()))
def test_two_first_requests_at_once_lose_neither_the_middleware_nor_the_span(
    how: str, fapilog_logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch
):
    Building.second = threading.Event()
    app = applications()[how]()
    app.add_middleware(Building)

    @app.get("/")
    async def root() -> int:
        return 1

    placement = instrumented(app).placement
    acquire = placement._lock

    class Lock:
        """Tells when a thread finds that another one is building."""

        def acquire(self, blocking: bool = True) -> bool:
            got = acquire.acquire(blocking)
            if not got:
                Building.second.set()
            return got

        def release(self) -> None:
            acquire.release()

    monkeypatch.setattr(placement, "_lock", Lock())
    start = threading.Barrier(2)

    async def ask() -> str | None:
        async with client(app) as http:
            return (await http.get("/")).headers.get("x-correlation-id")

    found: list[str | None] = []

    def first() -> None:
        start.wait(DEADLINE)
        found.append(asyncio.run(ask()))

    threads = [threading.Thread(target=first) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found += [asyncio.run(ask()) for _ in range(2)]
    records = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert sorted(record.attributes["fapilog.correlation_id"] for record in records) == sorted(found, key=str)
    names = [type(each).__name__ for each in chain(app.middleware_stack)]
    assert names.count("RequestLoggingMiddleware") == 1
    assert names.count("OpenTelemetryMiddleware") == (how != "none")
