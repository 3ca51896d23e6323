"""Helpers of these tests: an application is called as a server calls it, or through httpx."""

from collections.abc import Iterable
from typing import Any

import httpx

HOST = "http://shop.example"


def client(app: Any) -> httpx.AsyncClient:
    """A client whose requests go straight to `app`; what it raises becomes a response of 500."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HOST)


def scope(
    path: str = "/", method: str = "GET", headers: Iterable[tuple[bytes, bytes]] = ()
) -> dict[str, Any]:
    """An HTTP scope as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("203.0.113.7", 50_000),
        "server": ("127.0.0.1", 8_000),
    }


class Wire:
    """The other side of an ASGI call: messages to receive, and those that were sent."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.waiting = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return self.waiting.pop(0) if self.waiting else {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
