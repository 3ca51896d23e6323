"""A FastAPI application that logs from every place a request reaches; each record says whose it is.

SETUP says how it is set up: `call` (`configure_otel` and `instrument_fastapi`), `lifespan`, or `none`, where
`opentelemetry-instrument` has done it.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.requests import HTTPConnection

import fapilog
from fapilog_instrumentation_fastapi import fapilog_lifespan, health_router

SETUP = os.environ.get("SETUP", "call")
log = fapilog.get_logger("loaded")


class Item(BaseModel):
    """A body that some requests do not have."""

    size: int


def say(place: str, asked: str) -> None:
    """Log a record of the request with this id: whatever is bound, this is what the request sent."""
    log.info(place, asked=asked)


def in_a_thread(connection: HTTPConnection) -> str:
    """A dependency that the thread pool runs."""
    asked = connection.headers["x-request-id"]
    say("dependency", asked)
    return asked


Asked = Annotated[str, Depends(in_a_thread)]

if SETUP == "call":
    fapilog.configure_otel()
    app = fapilog.instrument_fastapi(FastAPI())
elif SETUP == "lifespan":
    app = FastAPI(lifespan=fapilog_lifespan())
else:
    app = FastAPI()
app.include_router(health_router())


@app.get("/orders/{number}")
async def order(number: str, asked: Asked, tasks: BackgroundTasks) -> str:
    say("async", asked)
    await asyncio.gather(*(_later(place, asked) for place in ("task", "other task")))
    tasks.add_task(say, "background thread", asked)
    tasks.add_task(_later, "background task", asked)
    return number


async def _later(place: str, asked: str) -> None:
    await asyncio.sleep(0.001)
    say(place, asked)


@app.get("/sync/{number}")
def in_the_pool(number: str, asked: Asked) -> str:
    say("thread", asked)
    return number


@app.get("/slow/{number}")
async def slow(number: str, asked: Asked) -> str:
    await asyncio.sleep(0.05)
    say("async", asked)
    return number


@app.get("/stream/{number}")
async def stream(asked: Asked) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            say("part", asked)
            await asyncio.sleep(0)
            yield b"x" * 100

    return StreamingResponse(parts())


@app.get("/endless/{number}")
async def endless(asked: Asked) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        say("begun", asked)
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0.001)

    return StreamingResponse(parts())


@app.get("/fail/{number}")
async def fail(asked: Asked) -> None:
    say("async", asked)
    raise LookupError("no such order")


@app.post("/items/{number}")
async def item(item: Item) -> Any:
    return item


@app.websocket("/rooms/{number}")
async def room(websocket: WebSocket, asked: Asked) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        say("message", asked)
        await websocket.send_text(text)
