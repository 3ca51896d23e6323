"""A load of HTTP requests over some connections that stay open: how many per second, and how long each takes.

It runs in a process of its own and does as little as it can: it sends the same bytes again and again, and
looks only for the end of the answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter
from typing import Any

from benchmarks.measure import percentile

_STATUS = b"HTTP/1.1 200"


class Connection(asyncio.Protocol):
    """One connection with one request on the way at a time."""

    def __init__(self, request: bytes, until: float, done: asyncio.Future[None]) -> None:
        self._request, self._until, self._done = request, until, done
        self._transport: Any = None
        self._buffer = b""
        self._sent = 0.0
        self.seconds: list[float] = []

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer; the next request goes out at once."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(_STATUS):
            self._end(RuntimeError(f"answered {head[:60]!r}"))
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self.seconds.append(perf_counter() - self._sent)
        self._buffer = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        """The server closed it: no figure."""
        self._end(RuntimeError("the server closed the connection"))

    def _next(self) -> None:
        self._sent = perf_counter()
        if self._sent >= self._until:
            self._end(None)
            return
        self._transport.write(self._request)

    def _end(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error) if error else self._done.set_result(None)
        self._transport.close()


async def load(port: int, path: str, connections: int, seconds: float) -> dict[str, float]:
    """Send requests for some seconds; return their number per second and percentiles in milliseconds."""
    head = [f"GET {path} HTTP/1.1", "Host: shop.example", "User-Agent: benchmark/1", "Accept: */*"]
    request = "\r\n".join([*head, "", ""]).encode()
    running = asyncio.get_running_loop()
    started = perf_counter()
    ends, made = [], []
    for _ in range(connections):
        done = running.create_future()
        connection = Connection(request, started + seconds, done)
        await running.create_connection(lambda one=connection: one, "127.0.0.1", port)
        ends.append(done)
        made.append(connection)
    await asyncio.gather(*ends)
    took = perf_counter() - started
    ordered = sorted(value for connection in made for value in connection.seconds)
    return {
        "requests": len(ordered),
        "per_second": len(ordered) / took,
        "p50_millis": percentile(ordered, 0.5) * 1e3,
        "p99_millis": percentile(ordered, 0.99) * 1e3,
    }


if __name__ == "__main__":
    port, path, connections, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(load(int(port), path, int(connections), float(seconds)))))
