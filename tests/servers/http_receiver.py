"""An HTTP server on loopback that takes any POST and answers as it is told."""

import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.servers.certificates import Certificates


@dataclass(frozen=True)
class Reply:
    """One answer; `hold` is waited for before it is sent, `cut` closes the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    cut: bool = False


@dataclass(frozen=True)
class ReceivedPost:
    """A request that arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about clients that go away."""


class HttpReceiver:
    """A running server: the replies of the script in order, then 200.

    Args:
        *replies: The script.
        certificates: Use TLS with the server certificate in it.
        choose: Chooses the reply to a request; None: the script does.
    """

    def __init__(
        self,
        *replies: Reply,
        certificates: Certificates | None = None,
        choose: Callable[[ReceivedPost], Reply | None] = lambda post: None,
    ) -> None:
        self._choose = choose
        self.posts: list[ReceivedPost] = []
        self._script = deque(replies)
        self._arrived = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._scheme = "http"
        if certificates is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.server_certificate, certificates.server_key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def script(self, *replies: Reply) -> None:
        """Adds replies."""
        self._script.extend(replies)

    def wait_for_posts(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedPost]:
        """Blocks until so many requests arrived, and answers all."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.posts) >= count, timeout_seconds), self.posts
            return list(self.posts)

    def _take(self, post: ReceivedPost) -> Reply:
        with self._arrived:
            self.posts.append(post)
            self._arrived.notify_all()
            chosen = self._choose(post)
            if chosen is not None:
                return chosen
            return self._script.popleft() if self._script else Reply()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = receiver._take(ReceivedPost(self.path, headers, body))
                if reply.hold is not None:
                    reply.hold.wait(20)
                if reply.cut:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler
