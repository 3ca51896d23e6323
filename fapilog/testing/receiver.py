"""An OTLP/HTTP receiver inside the test's own process, which can be told to misbehave."""

import socket
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from fapilog.testing.answers import Answer, ReceivedRequest
from fapilog.testing.decoding import ReceivedLogRecord
from fapilog.testing.http_server import Listener
from fapilog.testing.inbox import Inbox

LOOPBACK = "127.0.0.1"


class OtlpReceiver:
    """Receives OTLP over HTTP on loopback and keeps what it got for the test to look at.

    It takes logs, traces and metrics as protobuf and as JSON, plain or compressed with gzip, deflate or zstd
    (where a module for it is installed), over HTTP/1.1 with keep-alive, with TLS if it is given a
    certificate. Every request is answered with `Ok()`, in the form that it came in, unless `answer_with` or
    `answer_always_with` says otherwise. It refuses by itself what it cannot read (400, 404, 411, 413, 415),
    as receivers do; that uses up no scripted answer.

    All methods and properties may be used from any thread.

    Args:
        port: The port to listen on. Default 0: any free one.
        certificate: PEM file with the server's certificate chain. Default None: no TLS.
        key: PEM file with the certificate's private key. None: it is in the certificate's file.
        client_ca: PEM file with the authority that must have signed the client's certificate (mutual TLS).

    Raises:
        ValueError: `key` or `client_ca` without `certificate`.

    Example:
        >>> import urllib.request
        >>> from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        >>> request = ExportLogsServiceRequest()
        >>> record = request.resource_logs.add().scope_logs.add().log_records.add(severity_number=9)
        >>> record.body.string_value = "started"
        >>> with OtlpReceiver() as receiver:
        ...     post = urllib.request.Request(
        ...         receiver.logs_endpoint,
        ...         data=request.SerializeToString(),
        ...         headers={"Content-Type": "application/x-protobuf"},
        ...     )
        ...     status = urllib.request.urlopen(post, timeout=5).status
        ...     [received] = receiver.wait_for_log_records(1)
        >>> status, received.severity_number, received.body
        (200, 9, 'started')
    """

    def __init__(
        self,
        *,
        port: int = 0,
        certificate: Path | str | None = None,
        key: Path | str | None = None,
        client_ca: Path | str | None = None,
    ) -> None:
        if certificate is None and (key is not None or client_ca is not None):
            raise ValueError(
                "OtlpReceiver: key and client_ca need a certificate; give certificate=, or neither"
            )
        self._tls = None if certificate is None else _tls_context(certificate, key, client_ca)
        self._wanted_port = port
        self._bound_port: int | None = None
        self._listener: Listener | None = None
        self._reserved: socket.socket | None = None
        self._inbox = Inbox()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Binds the port and accepts connections. The context manager does it.

        Raises:
            OSError: The port is in use.
            RuntimeError: It was started before.
        """
        if self._bound_port is not None:
            raise RuntimeError("OtlpReceiver: it was started before; make a new one")
        bound = _bind(self._wanted_port)
        self._bound_port = bound.getsockname()[1]
        self._listener = Listener(bound, self._inbox, self._tls)

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Stops listening, breaks off all connections and the answers on hold. The context manager does it.

        Returns:
            Whether all its threads ended within `timeout_seconds`. One that did not (in an answer that the
            test brought) is a daemon thread, so it does not keep the process alive.
        """
        listener, self._listener = self._listener, None
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            reserved.close()
        return listener is None or listener.stop(timeout_seconds)

    @property
    def port(self) -> int:
        """The port it listens on; it stays the same while connections are refused."""
        if self._bound_port is None:
            raise RuntimeError(
                "OtlpReceiver: it has no port yet; use it in a `with` statement or call start()"
            )
        return self._bound_port

    @property
    def endpoint(self) -> str:
        """The base URL, as for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    @property
    def logs_endpoint(self) -> str:
        """The URL for logs, as for `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`."""
        return f"{self.endpoint}/v1/logs"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All requests so far, in the order in which they came, whatever they were answered."""
        return self._inbox.requests()

    @property
    def log_records(self) -> list[ReceivedLogRecord]:
        """The log records taken so far, by `Ok` or by another answer that takes them."""
        return self._inbox.log_records()

    @property
    def log_record_count(self) -> int:
        """How many log records were taken so far, without the cost of decoding them."""
        return self._inbox.log_record_count()

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return self._inbox.connections()

    @property
    def handshake_errors(self) -> list[OSError]:
        """Why TLS handshakes failed so far; a client without the wanted certificate shows up here."""
        return self._inbox.handshake_errors()

    def wait_for_requests(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedRequest]:
        """Blocks until at least so many requests came in, answered or not, and answers all of them.

        Raises:
            TimeoutError: Fewer came in within `timeout_seconds`.
        """
        self._inbox.wait_for(lambda: len(self.requests), count, "requests", timeout_seconds)
        return self.requests

    def wait_for_log_records(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedLogRecord]:
        """Blocks until at least so many log records were taken, and answers all of them.

        Raises:
            TimeoutError: Fewer were taken within `timeout_seconds`.
        """
        self._inbox.wait_for(self._inbox.log_record_count, count, "log records", timeout_seconds)
        return self.log_records

    def wait_for_handshake_errors(self, count: int, timeout_seconds: float = 10.0) -> list[OSError]:
        """Blocks until at least so many TLS handshakes failed, and answers why.

        Raises:
            TimeoutError: Fewer failed within `timeout_seconds`.
        """
        self._inbox.wait_for(lambda: len(self.handshake_errors), count, "handshake errors", timeout_seconds)
        return self.handshake_errors

    def answer_with(self, *answers: Answer) -> None:
        """Gives each of these answers to one of the next requests, in this order."""
        self._inbox.answer_with(*answers)

    def answer_always_with(self, answer: Answer) -> None:
        """Gives this answer to every request for which `answer_with` left none; at first that is `Ok()`."""
        self._inbox.answer_always_with(answer)

    def refuse_connections(self) -> None:
        """Plays a receiver that is down: new connections are refused, open ones are broken off.

        The port stays reserved, so nobody else gets it meanwhile.
        """
        if self._listener is None:
            raise RuntimeError("OtlpReceiver: it does not accept connections now, so it cannot stop")
        self._listener.stop(timeout_seconds=5.0)
        self._listener = None
        self._reserved = _bind(self.port)

    def accept_again(self) -> None:
        """Ends what `refuse_connections` began, on the same port."""
        if self._reserved is None:
            raise RuntimeError("OtlpReceiver: accept_again() needs refuse_connections() before it")
        reserved, self._reserved = self._reserved, None
        self._listener = Listener(reserved, self._inbox, self._tls)


def _bind(port: int) -> socket.socket:
    """Reserves a port: it refuses connections until somebody listens on the socket."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def _tls_context(
    certificate: Path | str, key: Path | str | None, client_ca: Path | str | None
) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
