"""The HTTP/1.1 side of `OtlpReceiver`: connections, parsing of requests, and the moves an answer can make.

Threads: one accepts connections; each connection has its own.
"""

import contextlib
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fapilog.testing.answers import OtlpRequest, ReceivedRequest, status_body
from fapilog.testing.decoding import MAX_BODY_BYTES, BodyTooLargeError, UnsupportedEncodingError, decompress
from fapilog.testing.inbox import Inbox
from fapilog.testing.otlp_json import JSON, read_message

PROTOBUF = "application/x-protobuf"
REQUEST_TYPES: Mapping[str, type[OtlpRequest]] = {
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}
HANDSHAKE_TIMEOUT_SECONDS = 10.0
# How often the accepting thread, and an answer on hold, look whether the receiver stopped.
CHECK_SECONDS = 0.02
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


class RefusedRequestError(Exception):
    """A request that is answered with an error before any scripted answer is asked for."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Listener(ThreadingHTTPServer):
    """One period of listening; a receiver that refuses connections for a while has two of them."""

    def __init__(self, bound: socket.socket, inbox: Inbox, tls: ssl.SSLContext | None) -> None:
        address: tuple[str, int] = bound.getsockname()
        super().__init__(address, _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_name, self.server_port = address
        self.inbox = inbox
        self.stopping = threading.Event()
        self._tls = tls
        # Written by the accepting thread only, and read by `stop` after that thread left its loop.
        self._connections: dict[socket.socket, threading.Thread] = {}
        # A client that goes away between select and accept must not block the accepting thread for good.
        bound.settimeout(1.0)
        bound.listen(128)
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(CHECK_SECONDS,), name=f"otlp-receiver-{address[1]}", daemon=True
        )
        self._accepting.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Stops listening, breaks off all connections, and answers whether all threads ended in time."""
        deadline = time.monotonic() + timeout_seconds
        self.stopping.set()
        self.shutdown()
        # A forked child may still hold the socket: closing it alone would leave the port open.
        _shut_down(self.socket)
        self.server_close()
        for connection in self._connections:
            _shut_down(connection)
        threads = [self._accepting, *self._connections.values()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accepts a connection; its own thread does the TLS handshake, so that no client blocks others."""
        connection, peer = self.socket.accept()
        self.inbox.connection_opened()
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives the connection a thread of its own, which `stop` can find."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"otlp-connection-{client_address[1]}",
            daemon=True,
        )
        thread.start()
        alive = {
            known: its_thread for known, its_thread in self._connections.items() if its_thread.is_alive()
        }
        self._connections = alive | {request: thread}

    def shutdown_request(self, request: Any) -> None:
        """Closes the connection; if it is to be reset, without the FIN that looks like an orderly end."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET_ON_CLOSE)) == _RESET_ON_CLOSE:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about clients that went away, which is what tests make them do; shows all else."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads its requests, one after another, and has each one answered."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(HANDSHAKE_TIMEOUT_SECONDS)
            try:
                self.request.do_handshake()
            except OSError as error:
                self.server.inbox.handshake_failed(error)
                raise
            self.request.settimeout(None)
        super().setup()

    def do_POST(self) -> None:
        """Reads the request and answers it as scripted; a real receiver's own refusals come first."""
        body, message = b"", None
        try:
            body = self._read_body()
            message = self._decode(body)
        except RefusedRequestError as refusal:
            request = self._received(body, None)
            self.server.inbox.request_refused(request)
            _HttpExchange(self, request).respond(refusal.status, status_body(request, str(refusal)))
            return
        request = self._received(body, message)
        self.server.inbox.request_arrived(request).send(_HttpExchange(self, request))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Writes nothing: the test asks for what it wants to know."""

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True  # where the next request would begin is not known
            raise RefusedRequestError(411, f"Content-Length is needed, got {length!r}")
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True  # the body is not read
            raise RefusedRequestError(413, f"the body has {length} bytes, the limit is {MAX_BODY_BYTES}")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError(f"the client closed after {len(body)} of {length} bytes")
        return body

    def _decode(self, body: bytes) -> OtlpRequest:
        request_type = REQUEST_TYPES.get(self.path)
        if request_type is None:
            raise RefusedRequestError(404, f"no such path: {self.path}; known: {', '.join(REQUEST_TYPES)}")
        content_type = self.headers.get_content_type()
        if content_type not in (PROTOBUF, JSON):
            known = f"only {PROTOBUF} and {JSON}"
            raise RefusedRequestError(415, f"Content-Type {content_type} is not supported, {known}")
        try:
            raw = decompress(body, self.headers.get("Content-Encoding", ""))
            return (
                request_type.FromString(raw) if content_type == PROTOBUF else read_message(raw, request_type)
            )
        except UnsupportedEncodingError as error:
            raise RefusedRequestError(415, str(error)) from error
        except BodyTooLargeError as error:
            raise RefusedRequestError(413, str(error)) from error
        except (DecodeError, ValueError) as error:
            raise RefusedRequestError(400, f"the body cannot be decoded: {error}") from error

    def _received(self, body: bytes, message: OtlpRequest | None) -> ReceivedRequest:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        return ReceivedRequest(self.path, headers, body, message, self.client_address[1])


class _HttpExchange:
    """The moves of an answer on a handler's connection; implements `answers.Exchange`."""

    def __init__(self, handler: _Handler, request: ReceivedRequest) -> None:
        self.request = request
        self._handler = handler
        self._connection: socket.socket = handler.connection

    def accept_records(self) -> None:
        self._handler.server.inbox.records_accepted(self.request)

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        # One write: a client must not see the head and the body apart unless a test wants it to.
        self.send_bytes(self._head(status, len(body), headers) + body)

    def send_head(self, status: int, content_length: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_bytes(self._head(status, content_length, headers))

    def send_bytes(self, data: bytes) -> None:
        self._connection.sendall(data)

    def close(self) -> None:
        self._handler.close_connection = True

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._handler.close_connection = True

    def hold_until(self, event: threading.Event) -> bool:
        # Two events to wait for, one of which is the test's own: look at the other one now and then.
        while not event.wait(CHECK_SECONDS):
            if self._handler.server.stopping.is_set():
                return False
        return True

    def pause(self, seconds: float) -> bool:
        return not self._handler.server.stopping.wait(seconds)

    def _head(self, status: int, content_length: int, headers: Mapping[str, str] | None) -> bytes:
        # OTLP: the answer is of the request's type.
        content_type = JSON if self.request.is_json else PROTOBUF
        fields = {"Content-Type": content_type, "Content-Length": str(content_length)} | dict(headers or {})
        if self._handler.close_connection:
            fields["Connection"] = "close"
        # A test may want a status that has no phrase, such as 599.
        phrase = BaseHTTPRequestHandler.responses.get(status, ("Unknown",))[0]
        lines = [
            f"HTTP/1.1 {status} {phrase}",
            *(f"{name}: {value}" for name, value in fields.items()),
            "",
            "",
        ]
        return "\r\n".join(lines).encode("latin-1")


def _shut_down(connection: socket.socket) -> None:
    # Not SSLSocket.shutdown, which takes the TLS state away from a thread that is reading.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
