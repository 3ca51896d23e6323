"""Splunk's HTTP Event Collector on loopback, strict: `tests.servers.hec_rules` served over HTTP/1.1."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.servers.certificates import Certificates
from tests.servers.hec_rules import Fault, Hec, Request, Token

__all__ = ["TOKEN", "Fault", "Hec", "HecServer", "Token"]

# Obviously none: put together, so that no scanner of repositories stumbles over it.
TOKEN = "-".join(("00000000", "fa71", "0000", "5a1c", "not0a0token0"))
POLL_SECONDS = 0.02


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about clients that go away."""


class HecServer:
    """A running collector with the rules of `hec`.

    Args:
        hec: The rules. Default: one token, `TOKEN`, which may do everything.
        certificates: Use TLS with the server certificate in it.
    """

    def __init__(self, hec: Hec | None = None, certificates: Certificates | None = None) -> None:
        self.hec = hec if hec is not None else Hec({TOKEN: Token()})
        self._certificates = certificates
        self._server: _Server | None = None
        self._connections: set[socket.socket] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it, after `stop` on the same port."""
        self._server = _Server(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = self._server.server_port
        if self._certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificates.server_certificate, self._certificates.server_key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Ends it, with all its connections; nothing that was taken is forgotten, but for channels."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.hec.restart()

    def wait_until(self, condition: Callable[[Hec], bool], timeout_seconds: float = 30.0) -> None:
        """Blocks until something is true of the collector."""
        deadline = time.monotonic() + timeout_seconds
        while not condition(self.hec):
            assert time.monotonic() < deadline, (
                f"{len(self.hec.events)} events, {len(self.hec.requests)} requests"
            )
            time.sleep(POLL_SECONDS)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                collector._connections.add(self.connection)

            def finish(self) -> None:
                collector._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def do_POST(self) -> None:
                if "content-length" not in self.headers:
                    self._send(411, b"", {})
                    return
                self._answer(self.rfile.read(int(self.headers["content-length"])))

            def do_GET(self) -> None:
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = collector.hec.answer(Request(self.command, self.path, headers, body))
                if answer.reset:
                    # To close with this ends a connection by a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    self.close_connection = True
                    return
                self._send(answer.status, answer.body, answer.headers)

            def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler
