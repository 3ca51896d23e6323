"""An OTLP/HTTP server that refuses a large request by its head and does not read the body, as proxies do."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ANSWER = b"Content-Type: application/x-protobuf\r\nContent-Length: 0\r\n"


class EarlyAnswers:
    """Takes requests up to a size.

    Args:
        limit_bytes: The largest body that it reads.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.taken = 0
        self.refused = 0
        self._limit_bytes = limit_bytes
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                if length > server._limit_bytes:
                    server.refused += 1
                    self.connection.sendall(
                        b"HTTP/1.1 413 Too Large\r\nConnection: close\r\n" + ANSWER + b"\r\n"
                    )
                    self.close_connection = True  # with a body unread, the client gets a reset
                    return
                self.rfile.read(length)
                server.taken += 1
                self.connection.sendall(b"HTTP/1.1 200 OK\r\n" + ANSWER + b"\r\n")

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about clients that still send."""
