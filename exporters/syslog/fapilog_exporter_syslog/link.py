"""One connection to a server: opened, written to, watched, closed.

Stage 6 of 7, export. Syslog servers answer nothing. What can be known is asked of the kernel: whether the
server has closed, and how many bytes its TCP has not acknowledged yet.
Threads: one for each call that blocks, never two at once; the delivery loop watches.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence

from fapilog_exporter_syslog.settings import SyslogSettings

try:
    import fcntl
    import termios
except ImportError:  # Windows: nothing is known about what was acknowledged
    fcntl = termios = None  # type: ignore[assignment]

# Of what a slow server has not read, so much waits in our kernel: else nobody would wait long enough for it.
_SEND_BUFFER_BYTES = 262_144
# A record of TLS; small enough that "no progress" is noticed in time.
_CHUNK_BYTES = 16_384
_ALERT_SECONDS = 0.2
_READ_BYTES = 4_096
_CLOSED = "the server has closed the connection"


class LinkClosedError(ConnectionError):
    """The server has closed the connection."""


class Sending:
    """How far one call of `Link.send` came.

    Attributes:
        handed: Messages that the kernel took whole.
        mark: How many bytes of this connection had been written after them.
    """

    def __init__(self) -> None:
        self.handed = 0
        self.mark = 0


class Link:
    """A connection that is open.

    Args:
        connection: A connected socket, with TLS or without.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._writing = threading.Lock()
        self._given_up = ""
        self._written = 0
        self._watch = None
        if hasattr(select, "poll"):
            self._watch = select.poll()
            # Of interest: the server has closed its side (Linux), or all of it.
            self._watch.register(connection.fileno(), getattr(select, "POLLRDHUP", 0))

    @classmethod
    def open(cls, settings: SyslogSettings, context: ssl.SSLContext | None) -> Link:
        """Connect. Blocks.

        Raises:
            OSError: If the server cannot be reached, or its certificate is not what it must be.
        """
        seconds = settings.connect_timeout_millis / 1_000
        connection = socket.create_connection((settings.host, settings.port), seconds)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                user_timeout = min(settings.timeout_millis, 2**31 - 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout)
            if context is not None:
                name = settings.server_name or settings.host
                connection = context.wrap_socket(connection, server_hostname=name)
            connection.settimeout(settings.timeout_millis / 1_000)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def send(self, frames: Sequence[bytes], until: float, sending: Sending) -> None:
        """Hand messages to the kernel, as many as are taken before a time (monotonic). Blocks.

        Stops between two messages alone.

        Raises:
            LinkClosedError: If the server has closed the connection.
            OSError: If it is lost otherwise, or makes no progress; it cannot be used any more.
        """
        try:
            with self._writing:
                place = 0
                while place < len(frames) and (place == 0 or time.monotonic() < until):
                    end, size = place + 1, len(frames[place])
                    while end < len(frames) and size + len(frames[end]) <= _CHUNK_BYTES:
                        size, end = size + len(frames[end]), end + 1
                    self._send(b"".join(frames[place:end]))
                    place = sending.handed = end
                    sending.mark = self._written
        except LinkClosedError:
            raise
        except (ssl.SSLError, ConnectionError) as error:
            raise LinkClosedError(f"{_CLOSED}: {self._alert() or error}") from error
        finally:
            if self._given_up:
                self._close()

    def closed_by_server(self) -> bool:
        """Tell whether the server has closed it, or it was reset. Does not block."""
        if self._given_up or self._socket.fileno() < 0:
            return True
        # What was registered decides: POLLERR and POLLHUP are always told.
        return self._watch is not None and bool(self._watch.poll(0))

    def unacknowledged_bytes(self, mark: int) -> int:
        """Return how many bytes up to a mark the server's TCP has not acknowledged; 0 where that is unknown.

        What others wrote behind the mark is nobody's business. With TLS the kernel counts more bytes than
        were written, so the answer is rather too large than too small.
        """
        if fcntl is None or self._socket.fileno() < 0:
            return 0
        written = self._written  # before the kernel is asked: what is written meanwhile makes it larger
        with contextlib.suppress(OSError):
            answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            return max(0, mark - (written - int(struct.unpack("=i", answer)[0])))
        return 0

    def reason(self) -> str:
        """Return why the server closed: an alert of TLS, an error, or that it closed. Blocks shortly."""
        if self._given_up:
            return self._given_up
        try:
            with self._writing:
                error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                found = self._alert() or (os.strerror(error) if error else "")
        except OSError as lost:
            found = str(lost)
        return f"{_CLOSED}: {found}" if found else _CLOSED

    def finish(self, seconds: float) -> None:
        """Close in order: say that nothing more comes, and wait until the server has read all. Blocks."""
        with contextlib.suppress(OSError), self._writing:
            until = time.monotonic() + seconds
            self._socket.settimeout(max(0.001, seconds))
            if isinstance(self._socket, ssl.SSLSocket):
                # Tells the server by TLS; its own such message may never come.
                self._socket = self._socket.unwrap()
            self._socket.shutdown(socket.SHUT_WR)
            while time.monotonic() < until and self._socket.recv(_READ_BYTES):
                self._socket.settimeout(max(0.001, until - time.monotonic()))
        self._given_up = "the exporter is shut down"
        self._close()

    def give_up(self, why: str) -> None:
        """Close at once, from any thread; one that is writing gets an error."""
        self._given_up = self._given_up or why
        with contextlib.suppress(OSError):
            # That of the plain socket: the one of TLS would let a writer go on without encryption.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        if self._writing.acquire(blocking=False):
            self._writing.release()
            self._close()

    def forget(self) -> None:
        """Close our copy alone: in a forked child the connection is its parent's."""
        self._given_up = "it belongs to the parent process"
        self._close()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._given_up:
                raise LinkClosedError(self._given_up)
            sent = self._socket.send(view)
            self._written += sent
            view = view[sent:]

    def _alert(self) -> str:
        """What the server said by TLS before it closed, such as that it wants a certificate."""
        if not isinstance(self._socket, ssl.SSLSocket):
            return ""
        try:
            self._socket.settimeout(_ALERT_SECONDS)
            self._socket.recv(1)
        except (OSError, ValueError) as found:
            return str(found)
        return ""

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
