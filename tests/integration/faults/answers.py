"""Answers of receivers that `fapilog.testing` does not have, and gRPC's side of the same things."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fapilog.testing import Exchange, Ok, Status
from fapilog.testing.answers import ReceivedRequest
from fapilog.testing.decoding import count_log_records
from tests.servers.grpc_receiver import Reply

# So that an answer that hangs ends with its connection and not only with the test.
LOOK_SECONDS = 0.01
NEVER = threading.Event()


@dataclass(frozen=True)
class SlowHead:
    """Takes the records and sends a head byte by byte, for longer than any client waits: a slow loris."""

    pause_seconds: float = 0.05

    def send(self, exchange: Exchange) -> None:
        """Sends the answer, as far as the client listens."""
        exchange.accept_records()
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Wait: 1\r\n" * 100:
            if not exchange.pause(self.pause_seconds):
                break
            exchange.send_bytes(bytes([byte]))
        exchange.close()


@dataclass(frozen=True)
class Silent:
    """Takes the records, or not, and answers nothing, ever."""

    take_records: bool

    def send(self, exchange: Exchange) -> None:
        """Holds the connection until one side closes."""
        if self.take_records:
            exchange.accept_records()
        exchange.hold_until(NEVER)
        exchange.close()


@dataclass(frozen=True)
class ShortBody:
    """Takes the records, promises a body, sends a part of it and closes the connection."""

    def send(self, exchange: Exchange) -> None:
        """Sends half of an answer."""
        exchange.accept_records()
        exchange.send_head(200, 1_000)
        exchange.send_bytes(b"\x0a")
        exchange.close()


@dataclass(frozen=True)
class ThenClose:
    """A good answer on a connection that the server then closes without a word about it."""

    def send(self, exchange: Exchange) -> None:
        """Answers and closes."""
        Ok().send(exchange)
        exchange.close()


@dataclass(frozen=True)
class AtMost:
    """Refuses requests with more records as too large (413), and takes the others."""

    records: int

    def send(self, exchange: Exchange) -> None:
        """Answers by size."""
        answer = Status(413) if records_in(exchange.request) > self.records else Ok()
        answer.send(exchange)


def records_in(request: ReceivedRequest) -> int:
    """How many log records a request brought."""
    return count_log_records(request.message)  # type: ignore[arg-type]


@dataclass(frozen=True)
class GrpcAnswer:
    """What the gRPC receiver does: a reply, after it took the records or not.

    Attributes:
        reply: The reply.
        takes: Whether the records count as received.
        at_most: Larger requests get the reply; the others are taken.
    """

    reply: Reply = field(default_factory=Reply)
    takes: bool = False
    at_most: int = 0

    def to(self, records: int) -> tuple[Reply, bool]:
        """The reply to a request with so many records, and whether they are taken."""
        return (Reply(), True) if records <= self.at_most else (self.reply, self.takes)


def silence() -> Callable[[Any], None]:
    """What a gRPC reply waits for: the end of the call."""

    def wait(context: Any) -> None:
        while context.is_active():
            NEVER.wait(LOOK_SECONDS)

    return wait
