"""The answers that an `OtlpReceiver` can be told to give: good ones, bad ones, and none.

An answer is any object with a `send(exchange)` method, so a test may bring its own.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status as RpcStatus  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from fapilog.testing.otlp_json import JSON, write_message

OtlpRequest = ExportLogsServiceRequest | ExportTraceServiceRequest | ExportMetricsServiceRequest


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it came in, whatever it was answered.

    Attributes:
        path: The path of the request line, such as "/v1/logs".
        headers: Names in lower case; a header that came twice has its values joined with ", ".
        body: The bytes as they were on the wire, still compressed.
        message: The decoded OTLP message, or None if the request was refused before or while decoding.
        peer_port: The client's port; two requests with the same port shared a connection.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    message: OtlpRequest | None
    peer_port: int

    @property
    def is_json(self) -> bool:
        """Whether it came as OTLP/JSON, so that its answer is JSON too."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON


class Exchange(Protocol):
    """One request that waits for its answer; what `Answer.send` works with."""

    @property
    def request(self) -> ReceivedRequest:
        """The request to answer."""

    def accept_records(self) -> None:
        """Counts the request's log records as taken: from now on they are in `OtlpReceiver.log_records`."""

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Sends a whole response; the connection stays open."""

    def send_head(self, status: int, content_length: int, headers: Mapping[str, str] | None = None) -> None:
        """Sends the status line and headers, and promises a body of that many bytes."""

    def send_bytes(self, data: bytes) -> None:
        """Sends bytes as they are."""

    def close(self) -> None:
        """Closes the connection in an orderly way (FIN) after this answer."""

    def reset(self) -> None:
        """Breaks the connection (RST) after this answer."""

    def hold_until(self, event: threading.Event) -> bool:
        """Blocks until the event is set; answers False if the receiver closes first."""

    def pause(self, seconds: float) -> bool:
        """Blocks for that long; answers False if the receiver closes first."""


class Answer(Protocol):
    """What a receiver does with one request."""

    def send(self, exchange: Exchange) -> None:
        """Answers the request, or misbehaves. Thread: the one of the request's connection."""


@dataclass(frozen=True)
class Ok:
    """Takes the records: status 200, with `partial_success` if a count or a message is given.

    OTLP does not say which records a partial success rejected, so all of them count as taken by the receiver.

    Attributes:
        rejected: How many records (spans, data points) to report as rejected.
        message: The reason to report; with `rejected=0` it is a warning.
    """

    rejected: int = 0
    message: str = ""

    def send(self, exchange: Exchange) -> None:
        """Sends the answer."""
        exchange.accept_records()
        exchange.respond(200, export_response(exchange.request, self.rejected, self.message))


@dataclass(frozen=True)
class Status:
    """Does not take the records: any other HTTP status, with a `google.rpc.Status` as the OTLP spec asks.

    Attributes:
        code: The HTTP status, such as 400, 429 or 503.
        retry_after: The `Retry-After` header: seconds, or any text (a date, or nonsense). None: no header.
        body: The bytes of the body. None: a `google.rpc.Status` that names the code.
        headers: More headers, such as a `Location`.
    """

    code: int
    retry_after: float | str | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, exchange: Exchange) -> None:
        """Sends the answer."""
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        body = status_body(exchange.request, f"scripted {self.code}") if self.body is None else self.body
        exchange.respond(self.code, body, headers)


@dataclass(frozen=True)
class CloseWithoutAnswer:
    """Reads the request, then closes the connection (FIN) without a byte of an answer.

    Attributes:
        take_records: True if only the answer is lost, so that a client that sends again makes a duplicate.
    """

    take_records: bool = False

    def send(self, exchange: Exchange) -> None:
        """Closes the connection."""
        if self.take_records:
            exchange.accept_records()
        exchange.close()


@dataclass(frozen=True)
class ResetMidBody:
    """Starts a 200 answer and breaks the connection (RST) in the middle of its body.

    Attributes:
        take_records: As for `CloseWithoutAnswer`.
    """

    take_records: bool = False

    def send(self, exchange: Exchange) -> None:
        """Sends half of the answer and breaks the connection."""
        if self.take_records:
            exchange.accept_records()
        body = export_response(exchange.request, 0, "the rest of this never arrives")
        exchange.send_head(200, len(body))
        exchange.send_bytes(body[: len(body) // 2])
        exchange.reset()


@dataclass(frozen=True)
class Hold:
    """Answers nothing until the event is set, then gives another answer.

    A receiver that closes meanwhile closes the connection instead.

    Attributes:
        event: Releases the answer.
        then: The answer to give after that.
    """

    event: threading.Event
    then: Answer = field(default_factory=Ok)

    def send(self, exchange: Exchange) -> None:
        """Waits, then sends the other answer."""
        if exchange.hold_until(self.event):
            self.then.send(exchange)
        else:
            exchange.close()


@dataclass(frozen=True)
class SlowBody:
    """Takes the records, sends the head of a 200 answer at once and its body in small pieces with pauses.

    Attributes:
        pause_seconds: The time before each piece.
        piece_bytes: The size of a piece.
        body: The bytes of the body. None: a valid response with a warning, about 20 bytes.
    """

    pause_seconds: float = 0.05
    piece_bytes: int = 1
    body: bytes | None = None

    def send(self, exchange: Exchange) -> None:
        """Sends the answer piece by piece."""
        exchange.accept_records()
        body = export_response(exchange.request, 0, "slow receiver") if self.body is None else self.body
        exchange.send_head(200, len(body))
        for start in range(0, len(body), self.piece_bytes):
            if not exchange.pause(self.pause_seconds):
                exchange.close()
                return
            exchange.send_bytes(body[start : start + self.piece_bytes])


@dataclass(frozen=True)
class Garbage:
    """Takes the records and answers nonsense.

    Attributes:
        instead_of_http: False: a proper 200 whose body is no protobuf. True: bytes that are not HTTP at all,
            and then the end of the connection.
    """

    instead_of_http: bool = False

    def send(self, exchange: Exchange) -> None:
        """Sends nonsense."""
        exchange.accept_records()
        # 0xff opens a field with the wire type 7, which does not exist.
        nonsense = b"\xff\xff\xff\x00 this is no message"
        if self.instead_of_http:
            exchange.send_bytes(nonsense + b"\r\n\r\n")
            exchange.close()
        else:
            exchange.respond(200, nonsense)


def export_response(request: ReceivedRequest, rejected: int, message: str) -> bytes:
    """Answers the response to a request; an empty one, as the spec says, when nothing was rejected."""
    partial = _partial_success(request.message, rejected, message) if rejected or message else None
    return _encoded(request, partial)


def status_body(request: ReceivedRequest, message: str) -> bytes:
    """Answers a `google.rpc.Status`, the body that OTLP/HTTP wants with every error."""
    return _encoded(request, RpcStatus(message=message))


def _encoded(request: ReceivedRequest, message: Message | None) -> bytes:
    if request.is_json:
        return write_message(message)
    serialized: bytes = b"" if message is None else message.SerializeToString()
    return serialized


def _partial_success(request: OtlpRequest | None, rejected: int, message: str) -> Message:
    if isinstance(request, ExportTraceServiceRequest):
        traces = ExportTraceServiceResponse()
        traces.partial_success.rejected_spans = rejected
        traces.partial_success.error_message = message
        return traces
    if isinstance(request, ExportMetricsServiceRequest):
        metrics = ExportMetricsServiceResponse()
        metrics.partial_success.rejected_data_points = rejected
        metrics.partial_success.error_message = message
        return metrics
    logs = ExportLogsServiceResponse()
    logs.partial_success.rejected_log_records = rejected
    logs.partial_success.error_message = message
    return logs
