"""A TCP proxy that serves a few connections at a time and closes the others as they come."""

import contextlib
import socket
import threading
from typing import Self

from tests.servers.proxy import LOOPBACK, relay


class FewConnections:
    """Listens on a free loopback port in front of another one.

    Args:
        target_port: Where served connections go.
        limit: Served at once. None: all; it may be changed at any time.
    """

    def __init__(self, target_port: int, limit: int | None = None) -> None:
        self.limit = limit
        self.turned_away = 0
        self._target_port = target_port
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(5)
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with self._lock:
                    full = self.limit is not None and len(self._open) >= self.limit
                    if not full:
                        self._open.add(connection)
                if full:
                    self.turned_away += 1
                    connection.close()
                else:
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        address = (LOOPBACK, self._target_port)
        with contextlib.suppress(OSError), client, socket.create_connection(address, timeout=5) as target:
            target.settimeout(None)
            for end in (client, target):  # else each piece waits for the acknowledgement of the one before
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            relay(client, target)
        with self._lock:
            self._open.discard(client)
