"""One way in one process: served by uvicorn, or called in a loop without a server; replies are JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import timeit
from time import perf_counter_ns
from typing import Any

from benchmarks.fastapi_ways import INSTALL_PROVIDERS, application, put_around
from benchmarks.libraries import NotInstalledError

PATH = "/orders/42"
HEADERS = (
    (b"host", b"shop.example"),
    (b"user-agent", b"benchmark/1"),
    (b"accept", b"*/*"),
    (b"x-forwarded-for", b"203.0.113.7"),
)


def serve(way: str, endpoint: str, reply: Any) -> None:
    """Serve on a free port until standard input closes; then deliver, and say what became of the records."""
    import uvicorn

    app = application()
    finish = put_around(way, app, endpoint)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True)
        thread.start()
        reply(port=listener.getsockname()[1])
        server.run([listener])
    reply(**finish())


def _stop_at_end_of_input(server: Any) -> None:
    sys.stdin.read()
    server.should_exit = True


def loop(way: str, endpoint: str, requests: int, rounds: int, reply: Any) -> None:
    """Call the bare application and the same with the way around it, in turns; the best of each counts."""
    # FastAPI's own telemetry would use the providers that some ways install for the process; without any it
    # does nothing, and what that costs is no part of a way.
    off = dict.fromkeys(("tracing", "metrics", "logs"), False) if way in INSTALL_PROVIDERS else {}
    without, around = application(**off), application()
    finish = put_around(way, around, endpoint)
    best = asyncio.run(_paired((without, around), requests, rounds))
    reply(bare_micros=best[0], micros=best[1], empty_call_micros=_empty_call())
    reply(**finish())


def _empty_call() -> float:
    """What tells how fast the machine is now: a call of an empty function with five keywords."""
    define = "def f(message, **attributes): pass"
    rounds = timeit.repeat("f('a message', a=1, b=2, c=3, d=4, e=5)", define, number=1_000, repeat=200)
    return min(rounds) * 1_000


async def _paired(apps: tuple[Any, Any], requests: int, rounds: int) -> list[float]:
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for which, app in enumerate(apps):
            best[which] = min(best[which], await _round(app, requests))
    return best


async def _round(app: Any, requests: int) -> float:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"the application answered {message['status']}, not 200")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"page=2",
        "root_path": "",
        "headers": list(HEADERS),
        "client": ("203.0.113.7", 5_123),
        "server": ("127.0.0.1", 8_000),
    }
    started = perf_counter_ns()
    for _ in range(requests):
        await app({**scope}, receive, send)
    return (perf_counter_ns() - started) / 1_000 / requests


def main() -> None:
    # Standard output carries replies only; lines that a library prints go to the null device.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def reply(**data: Any) -> None:
        replies.write(json.dumps(data) + "\n")
        replies.flush()

    kind, way, endpoint, *numbers = sys.argv[1:]
    try:
        if kind == "serve":
            serve(way, endpoint, reply)
        else:
            loop(way, endpoint, int(numbers[0]), int(numbers[1]), reply)
    except NotInstalledError as error:
        reply(missing=str(error))
    # What a library's threads still do is not our business.
    os._exit(0)


if __name__ == "__main__":
    main()
