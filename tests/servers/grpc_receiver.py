"""An OTLP/gRPC receiver on loopback that answers as it is told: raw bytes, any status, any metadata."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from tests.servers.certificates import Certificates

THREADS = 8


@dataclass(frozen=True)
class Reply:
    """One answer.

    `retry_delay_seconds` is sent as `google.rpc.RetryInfo`; `raw_details` replaces it with other bytes.
    `before` runs first and gets the call's context.
    """

    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""
    retry_delay_seconds: float | None = None
    raw_details: bytes | None = None
    rejected: int = 0
    message: str = ""
    body: bytes | None = None
    before: Callable[[Any], object] | None = None


@dataclass
class ReceivedCall:
    """A call that arrived: its message as it was sent, and its metadata."""

    request: bytes
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def bodies(self) -> list[str]:
        """The text bodies of its records, in order."""
        message = ExportLogsServiceRequest.FromString(self.request)
        return [
            record.body.string_value
            for resource_logs in message.resource_logs
            for scope_logs in resource_logs.scope_logs
            for record in scope_logs.log_records
        ]


class GrpcReceiver(grpc.GenericRpcHandler):
    """A running receiver: the replies of the script in order, then success.

    Args:
        *replies: The script.
        certificates: Use TLS with the server certificate in it.
        client_certificates_required: Take only clients with a certificate signed by the same authority.
        max_message_bytes: Largest message it takes.
        choose: Chooses the reply to a call; None: the script does.
    """

    def __init__(
        self,
        *replies: Reply,
        certificates: Certificates | None = None,
        client_certificates_required: bool = False,
        max_message_bytes: int = -1,
        choose: Callable[[ReceivedCall], Reply | None] = lambda call: None,
    ) -> None:
        self._choose = choose
        self.calls: list[ReceivedCall] = []
        self.peers: set[str] = set()
        self._script = deque(replies)
        self._arrived = threading.Condition()
        options = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(THREADS), options=options)
        self._server.add_generic_rpc_handlers((self,))
        if certificates is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            pair = (certificates.server_key.read_bytes(), certificates.server_certificate.read_bytes())
            authority = certificates.ca.read_bytes()
            credentials = grpc.ssl_server_credentials([pair], authority, client_certificates_required)
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._scheme = "http" if certificates is None else "https"

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop(None).wait()

    def script(self, *replies: Reply) -> None:
        """Adds replies."""
        self._script.extend(replies)

    def wait_for_calls(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedCall]:
        """Blocks until so many calls arrived, and answers all."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.calls) >= count, timeout_seconds), self.calls
            return list(self.calls)

    def service(self, details: Any) -> Any:
        """Takes every call, whatever its method (gRPC)."""
        metadata = dict(details.invocation_metadata) | {":path": details.method}
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answer(request, metadata, context)
        )

    def _answer(self, request: bytes, metadata: dict[str, Any], context: Any) -> bytes:
        with self._arrived:
            self.calls.append(ReceivedCall(request, metadata))
            self.peers.add(context.peer())
            reply = self._choose(self.calls[-1])
            if reply is None:
                reply = self._script.popleft() if self._script else Reply()
            self._arrived.notify_all()
        if reply.before is not None:
            reply.before(context)
        if reply.code is not grpc.StatusCode.OK:
            context.set_trailing_metadata(_trailing(reply))
            context.abort(reply.code, reply.details)
        if reply.body is not None:
            return reply.body
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = reply.rejected
        response.partial_success.error_message = reply.message
        return response.SerializeToString()


def _trailing(reply: Reply) -> tuple[tuple[str, bytes], ...]:
    if reply.raw_details is not None:
        return (("grpc-status-details-bin", reply.raw_details),)
    if reply.retry_delay_seconds is None:
        return ()
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromTimedelta(timedelta(seconds=reply.retry_delay_seconds))
    packed = AnyMessage()
    packed.Pack(info)
    other = AnyMessage()
    other.Pack(error_details_pb2.ErrorInfo(reason="busy"))
    status = status_pb2.Status(code=reply.code.value[0], message=reply.details, details=[other, packed])
    return (("grpc-status-details-bin", status.SerializeToString()),)
