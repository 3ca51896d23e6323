"""A syslog server on loopback, strict about RFC 5424 and RFC 5425, that closes, resets and stalls as told."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from tests.servers.certificates import Certificates
from tests.servers.rfc5424 import Message, NotRfc5424Error, parse, split

POLL_SECONDS = 0.02
_READ_BYTES = 65_536


@dataclass(frozen=True)
class Fault:
    """What becomes of one connection.

    Attributes:
        take: Messages that are taken first; what comes behind them is thrown away.
        end: Then it is reset; or held without reading until `release` is set.
    """

    take: int = 0
    end: Literal["reset", "stall"] = "reset"


class SyslogServer:
    """A running server.

    Args:
        certificates: Use TLS with the server certificate in it.
        client_certificates: Demand a client certificate that the authority has signed.
        receive_bytes: Size of the receive buffer; None: the system's.
    """

    def __init__(
        self,
        certificates: Certificates | None = None,
        *,
        client_certificates: bool = False,
        receive_bytes: int | None = None,
    ) -> None:
        self.messages: list[Message] = []
        self.violations: list[str] = []
        self.connections = 0
        self.faults: deque[Fault] = deque()
        self.release = threading.Event()
        # Before each look at what has come.
        self.pause_seconds = 0.0
        self.port = 0
        self._context = _context(certificates, client_certificates)
        self._receive_bytes = receive_bytes
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"{'tls' if self._context else 'tcp'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.release.set()
        self.stop()

    def start(self) -> None:
        """Starts it, after `stop` on the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(16)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self, *, reset: bool = False) -> None:
        """Ends it with all its connections, by a reset or in order."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in list(self._open):
            _end(connection, reset=reset)

    def half_close(self) -> None:
        """Says on all connections that nothing more comes from here; what comes is still read."""
        for connection in list(self._open):
            socket.socket.shutdown(connection, socket.SHUT_WR)

    def wait_until(self, condition: Callable[[Self], bool], timeout_seconds: float = 30.0) -> None:
        """Blocks until something is true of the server."""
        deadline = time.monotonic() + timeout_seconds
        while not condition(self):
            assert time.monotonic() < deadline, (
                f"{len(self.messages)} messages, {self.connections} connections"
            )
            time.sleep(POLL_SECONDS)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self.faults.popleft() if self.faults else None
            threading.Thread(target=self._serve, args=(connection, fault), daemon=True).start()

    def _serve(self, connection: socket.socket, fault: Fault | None) -> None:
        # The raw socket is what a reset is made with; TLS only reads.
        self._open.add(connection)
        try:
            stream = connection
            if self._context is not None:
                stream = self._context.wrap_socket(connection, server_side=True)
                self._open.discard(connection)
                self._open.add(stream)
                connection = stream
            self._read(stream, fault)
        except OSError:
            pass  # the client's affair
        finally:
            self._open.discard(connection)
            _end(connection, reset=fault is not None and fault.end == "reset")

    def _read(self, stream: socket.socket, fault: Fault | None) -> None:
        rest, left = b"", fault.take if fault is not None else -1
        while left:
            time.sleep(self.pause_seconds)
            data = stream.recv(_READ_BYTES)
            if not data:
                return
            try:
                whole, rest = split(rest + data)
                for each in whole[: left if left > 0 else None]:
                    self.messages.append(parse(each))
                    left -= left > 0
            except NotRfc5424Error as error:
                self.violations.append(str(error))
                return
        if fault is not None:
            self._misbehave(stream, fault)

    def _misbehave(self, stream: socket.socket, fault: Fault) -> None:
        if fault.end == "stall":
            self.release.wait(60)
        elif not fault.take:
            # Something must have come, or nothing would be lost.
            socket.socket.recv(stream, 1, socket.MSG_PEEK) if self._context is None else stream.recv(1)


def _context(certificates: Certificates | None, client_certificates: bool) -> ssl.SSLContext | None:
    if certificates is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server_certificate, certificates.server_key)
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca)
    return context


def _end(connection: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            # To close with this ends a connection by a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        connection.close()
