"""A tiny HTTP proxy for CONNECT: it opens tunnels and remembers to where."""

import contextlib
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 65_536


class ConnectProxy:
    """Listens on a free loopback port and tunnels every CONNECT to one port of this machine.

    Args:
        target_port: Where every tunnel ends, whatever host the client asked for.
    """

    def __init__(self, target_port: int) -> None:
        self.tunnels: list[str] = []
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler(target_port))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The value for a proxy variable."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self, target_port: int) -> type[BaseHTTPRequestHandler]:
        tunnels = self.tunnels

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                tunnels.append(self.path)
                with socket.create_connection((LOOPBACK, target_port), timeout=5) as target:
                    self.send_response(200, "Connection established")
                    self.end_headers()
                    relay(self.connection, target)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Stay silent."""

        return Handler


def relay(client: socket.socket, target: socket.socket) -> None:
    """Passes bytes both ways until one side ends."""
    with contextlib.suppress(OSError):
        while True:
            ready, _, _ = select.select([client, target], [], [])
            for source in ready:
                data = source.recv(CHUNK_BYTES)
                if not data:
                    return
                (target if source is client else client).sendall(data)
