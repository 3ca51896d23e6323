"""Mixed load on `programs/loaded.py`, from a process of its own.

    python -m tests.integration.fastapi_load PORT [--requests N] [--connections N]

Each request has an id and a trace of its own, in its headers and in its path. Prints `answered N` every
hundred answers, and at the end a JSON object: by kind the ids that were answered completely, and how many
requests broke because the server ended. It ends when nothing listens any more, or after so many requests.
"""

import argparse
import asyncio
import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

# What each kind asks, and the status of its answer; None: not an HTTP request that ends.
KINDS: dict[str, tuple[str, int | None]] = {
    "orders": ("GET", 200),
    "sync": ("GET", 200),
    "slow": ("GET", 200),
    "stream": ("GET", 200),
    "fail": ("GET", 500),
    "items": ("POST", 422),
    "nowhere": ("GET", 404),
    "endless": ("GET", None),
    "rooms": ("GET", None),
}
# Records by the application's own logger that a complete answer means; the access record comes on top.
RECORDS: dict[str, list[str]] = {
    "orders": ["async", "background task", "background thread", "dependency", "other task", "task"],
    "sync": ["dependency", "thread"],
    "slow": ["async", "dependency"],
    "stream": ["dependency", "part", "part", "part"],
    "fail": ["async", "dependency"],
    "items": [],
    "nowhere": [],
    "endless": ["begun", "dependency"],
    "rooms": ["dependency", "message", "message"],
}
_BODY = b'{"size": "large"}'


def trace_of(request_id: str) -> str:
    """The trace id that the request with this id has."""
    return hashlib.sha256(request_id.encode()).hexdigest()[:32]


class Load:
    """Connections that ask one thing after the other, and what was answered."""

    def __init__(self, port: int, requests: int) -> None:
        self.port = port
        self.left = requests
        self.answered: dict[str, list[str]] = defaultdict(list)
        self.broken = 0
        self._numbers = itertools.count()

    async def run(self, connections: int) -> None:
        """Ask until there is nobody to ask."""
        await asyncio.gather(*(self._connection(start) for start in range(connections)))

    async def _connection(self, start: int) -> None:
        kinds = itertools.islice(itertools.cycle(KINDS), start, None)
        kind = next(kinds)
        while self.left > 0:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return
            try:
                while self.left > 0:
                    await self._ask(kind, reader, writer)
                    kind = next(kinds)
            except (OSError, EOFError, WebSocketException) as error:
                # Servers close connections between two requests, as after an exception; the second one, which
                # was not heard, is asked again.
                self.broken += getattr(error, "partial", b"?") != b""
            finally:
                writer.close()

    async def _ask(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.left -= 1
        request_id = f"{kind}.{next(self._numbers)}"
        method, expected = KINDS[kind]
        headers = {"x-request-id": request_id, "traceparent": f"00-{trace_of(request_id)}-{'ab' * 8}-01"}
        if kind == "rooms":
            await self._talk(request_id, headers)
        elif kind == "endless":
            await self._leave(request_id, headers)
        else:
            writer.write(_request(method, kind, request_id, headers))
            status = await _answer(reader)
            assert status == expected, (kind, status)
        self.answered[kind].append(request_id)
        count = sum(map(len, self.answered.values()))
        if count % 100 == 0:
            print(f"answered {count}", flush=True)

    async def _talk(self, request_id: str, headers: dict[str, str]) -> None:
        url = f"ws://127.0.0.1:{self.port}/rooms/{request_id}"
        async with connect(url, additional_headers=headers, proxy=None, open_timeout=60) as socket:
            for text in ("tea", "cup"):
                await socket.send(text)
                assert await socket.recv() == text

    async def _leave(self, request_id: str, headers: dict[str, str]) -> None:
        """Read the beginning of a response without end, and go."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(_request("GET", "endless", request_id, headers))
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(5_000)
        finally:
            writer.transport.abort()


def _request(method: str, kind: str, request_id: str, headers: dict[str, str]) -> bytes:
    body = _BODY if method == "POST" else b""
    lines = [f"{method} /{kind}/{request_id} HTTP/1.1", "host: shop.example"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read a response to its end; return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if "transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0]))
    return int(head.split(" ", 2)[1])


def main(run: Callable[[Load, int], None]) -> None:
    """Read the command line, run, and print what was answered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--requests", type=int, default=10**9)
    parser.add_argument("--connections", type=int, default=18)
    arguments = parser.parse_args()
    load = Load(arguments.port, arguments.requests)
    run(load, arguments.connections)
    print(json.dumps({"answered": load.answered, "broken": load.broken}))


if __name__ == "__main__":
    main(lambda load, connections: asyncio.run(load.run(connections)))
