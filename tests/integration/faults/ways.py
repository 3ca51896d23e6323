"""The ways that records travel on: how each is set up, what serves it, and what it received."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog import LoggerProvider
from fapilog.testing import Ok, OtlpReceiver, ReceivedLogRecord
from fapilog.testing.decoding import count_log_records, decode_log_records
from tests.integration.faults.answers import GrpcAnswer
from tests.integration.faults.table import GRPC, WEBHOOK, Fault
from tests.servers.certificates import Certificates
from tests.servers.grpc_receiver import GrpcReceiver, ReceivedCall, Reply

RETRY = {"initial_backoff_millis": 2, "max_backoff_millis": 20, "max_retry_after_millis": 30}
# Small blocks, so that a fault meets many requests.
SETTINGS: dict[str, Any] = {
    "capture_location": "never",
    "buffer": {"max_block_records": 10, "schedule_delay_millis": 5},
    "delivery": {"retry": RETRY, "breaker_pause_millis": 20},
}


def exporter_name(way: str) -> str:
    """The exporter's side of the ledger."""
    return "webhook" if way == WEBHOOK else "otlp"


def settings(way: str, port: int, timeout_millis: int, authorities: Path | None) -> dict[str, Any]:
    """Settings for one way to a port of this machine, with pauses of milliseconds.

    Args:
        way: Of the table.
        port: Where it goes.
        timeout_millis: Time for one attempt.
        authorities: PEM file of trusted authorities, for TLS; None: no TLS.
    """
    scheme = "http" if authorities is None else "https"
    url = f"{scheme}://127.0.0.1:{port}"
    if way == WEBHOOK:
        webhook = {"url": f"{url}/v1/logs", "timeout_millis": timeout_millis, "certificate": authorities}
        return {"exporters": ["webhook"], "webhook": webhook}
    return {
        "exporters": ["otlp"],
        "otlp": {
            "protocol": way,
            "endpoint": url if way == GRPC else f"{url}/v1/logs",
            "timeout_millis": timeout_millis,
            "connect_timeout_millis": timeout_millis,
            "certificate": authorities,
            "retry": RETRY,
        },
    }


def attempts(provider: LoggerProvider) -> float:
    """A number that grows with every attempt that ended, whatever came of it."""
    native: Mapping[str, Any] = provider.pipeline.exporter_stats()["exporters"]
    calls = sum(spent.calls for (kind, _), spent in provider.timings.snapshot().items() if kind == "exporter")
    return float(calls + sum(side["send_nanos"] for side in native.values()))


class Server(Protocol):
    """A receiver of one way."""

    @property
    def port(self) -> int:
        """Where it listens."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: Any) -> None: ...

    def misbehave(self, fault: Fault) -> None:
        """Answers as the fault says, from now on."""

    def behave(self) -> None:
        """Answers well again."""

    def received(self) -> list[ReceivedLogRecord]:
        """What it took, in the order in which it came."""


class HttpServer:
    """Serves the ways over HTTP."""

    def __init__(self, certificates: Certificates | None) -> None:
        files = None if certificates is None else certificates
        self._receiver = OtlpReceiver(
            certificate=files.server_certificate if files else None, key=files.server_key if files else None
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._receiver.port

    def __enter__(self) -> Self:
        self._receiver.start()
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._receiver.close()

    def misbehave(self, fault: Fault) -> None:
        """Answers as the fault says."""
        if fault.http is not None:
            self._receiver.answer_always_with(fault.http)

    def behave(self) -> None:
        """Answers well again."""
        self._receiver.answer_always_with(Ok())

    def received(self) -> list[ReceivedLogRecord]:
        """What it took."""
        return self._receiver.log_records


class GrpcServer:
    """Serves gRPC."""

    def __init__(self, certificates: Certificates | None) -> None:
        self._receiver = GrpcReceiver(certificates=certificates, choose=self._choose)
        self._answer: GrpcAnswer | None = None
        self._taken: list[bytes] = []
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._receiver.port

    def __enter__(self) -> Self:
        self._receiver.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._receiver.__exit__()

    def misbehave(self, fault: Fault) -> None:
        """Answers as the fault says."""
        self._answer = fault.grpc

    def behave(self) -> None:
        """Answers well again."""
        self._answer = None

    def received(self) -> list[ReceivedLogRecord]:
        """What it took."""
        with self._lock:
            taken = list(self._taken)
        return [
            record
            for request in taken
            for record in decode_log_records(ExportLogsServiceRequest.FromString(request))
        ]

    def _choose(self, call: ReceivedCall) -> Reply:
        answer = self._answer
        records = count_log_records(ExportLogsServiceRequest.FromString(call.request))
        reply, takes = (Reply(), True) if answer is None else answer.to(records)
        if takes:
            with self._lock:
                self._taken.append(call.request)
        return reply


def server(way: str, certificates: Certificates | None) -> Server:
    """A receiver for one way, to be entered."""
    return GrpcServer(certificates) if way == GRPC else HttpServer(certificates)
