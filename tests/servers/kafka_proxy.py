"""A proxy on loopback before a broker of Kafka: it knows requests and answers, and misbehaves as told."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

LOOPBACK = "127.0.0.1"
PRODUCE = 0  # the key of the request that brings messages
_LENGTH = struct.Struct(">i")
_KEY_AND_VERSION = struct.Struct(">hhi")
Way = Literal["reset_before", "reset_after", "hold"]


@dataclass
class KafkaProxy:
    """Listens on `port` and passes everything to `target`; what brings messages meets `faults` first.

    Attributes:
        port: Where it listens; the broker advertises it.
        target: The broker's own port.
        faults: Of the next requests that bring messages: the connection ends before the broker sees one, or
            before the client sees its answer, or the answer never comes.
        pause_seconds: Before each answer.
        answered: How many answers to such requests came from the broker.
    """

    port: int
    target: int = 0
    pause_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.faults: list[Way] = []
        self.answered = 0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen."""
        self._listener = socket.create_server((LOOPBACK, self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, and end those that there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ends = list(self._open)
        for each in ends:
            _end(each)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # Closed by nobody but this thread, so that no number of a socket is used again under another's hands.
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection((LOOPBACK, self.target)) as broker,
        ):
            pair = {client, broker}
            with self._lock:
                self._open |= pair
            ways: dict[int, Way | None] = {}
            way_back = (broker, client, self._answer(ways))
            answers = threading.Thread(target=self._pass, args=way_back, daemon=True)
            answers.start()
            self._pass(client, broker, self._request(ways))
            answers.join()
            with self._lock:
                self._open -= pair

    def _pass(
        self, source: socket.socket, to: socket.socket, allowed: Callable[[bytes], bool | None]
    ) -> None:
        """Pass frames until one side ends, or a fault says so: None ends both, False leaves a frame out."""
        with contextlib.suppress(OSError):
            while frame := _frame(source):
                verdict = allowed(frame)
                if verdict is None:
                    break
                if verdict:
                    to.sendall(_LENGTH.pack(len(frame)) + frame)
        _end(source)
        _end(to)

    def _request(self, ways: dict[int, Way | None]) -> Callable[[bytes], bool | None]:
        def allowed(frame: bytes) -> bool | None:
            key, _, correlation = _KEY_AND_VERSION.unpack_from(frame)
            if key == PRODUCE:
                with self._lock:
                    way = self.faults.pop(0) if self.faults else None
                if way == "reset_before":
                    return None
                ways[correlation] = way
            return True

        return allowed

    def _answer(self, ways: dict[int, Way | None]) -> Callable[[bytes], bool | None]:
        def allowed(frame: bytes) -> bool | None:
            correlation = _LENGTH.unpack_from(frame)[0]
            if self.pause_seconds:
                time.sleep(self.pause_seconds)
            if correlation not in ways:
                return True
            self.answered += 1
            way = ways.pop(correlation)
            return {None: True, "reset_after": None, "hold": False}[way]

        return allowed


def _frame(source: socket.socket) -> bytes:
    """The next request or answer; empty at the end."""
    head = _exactly(source, _LENGTH.size)
    return _exactly(source, _LENGTH.unpack(head)[0]) if head else b""


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = source.recv(count - len(found))
        if not more:
            return b""
        found += more
    return found


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
