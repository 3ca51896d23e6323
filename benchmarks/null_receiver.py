"""An OTLP/HTTP receiver that costs as little as it can, in a process of its own.

It reads the Content-Length, throws the body away and answers 200 with an empty response message. `verify`
keeps the bodies and decodes them when asked, to prove the number of records. `hold` never answers. `slow`
answers after a delay. `GET /stats` returns the counts as JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import socket
import threading
import time
import zlib
from dataclasses import dataclass, field

BUFFER_BYTES = 4 * 1024 * 1024
VERIFY_LIMIT_BYTES = 512 * 1024 * 1024
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Counts:
    """What arrived. Each connection owns one, so nothing is shared on the hot path."""

    requests: int = 0
    body_bytes: int = 0
    bodies: list[tuple[bytes, bytes]] = field(default_factory=list)


class Receiver:
    """Accepts connections, one thread each."""

    def __init__(self, port: int, mode: str, delay_seconds: float) -> None:
        self.mode = mode
        self.delay_seconds = delay_seconds
        self.counts: list[Counts] = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]

    def serve(self) -> None:
        """Accept for ever."""
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            counts = Counts()
            self.counts.append(counts)
            threading.Thread(target=self.connection, args=(connection, counts), daemon=True).start()

    def connection(self, connection: socket.socket, counts: Counts) -> None:
        """Serve one connection until the peer closes it."""
        buffer = bytearray(BUFFER_BYTES)
        view = memoryview(buffer)
        have = 0
        with connection:
            while True:
                end = buffer.find(b"\r\n\r\n", 0, have)
                if end < 0:
                    got = connection.recv_into(view[have:])
                    if not got:
                        return
                    have += got
                    continue
                have = self.request(connection, counts, buffer, view, end + 4, have)
                if have < 0:
                    return

    def request(  # noqa: PLR0917 (the state of a connection, without an object to read it from)
        self,
        connection: socket.socket,
        counts: Counts,
        buffer: bytearray,
        view: memoryview,
        start: int,
        have: int,
    ) -> int:
        """Serve one request whose head ends at `start`; return the bytes of the next one, -1 at the end."""
        head = bytes(buffer[:start])
        if head.startswith(b"GET /stats"):
            answer = self.stats()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            return -1
        length = content_length(head)
        kept = bytearray(buffer[start : min(have, start + length)]) if self.mode == "verify" else None
        missing = length - (have - start)
        while missing > 0:
            got = connection.recv_into(view, min(missing, BUFFER_BYTES))
            if not got:
                return -1
            if kept is not None:
                kept += view[:got]
            missing -= got
        if self.mode == "hold":
            threading.Event().wait()
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        counts.requests += 1
        counts.body_bytes += length
        if kept is not None:
            counts.bodies.append((head, bytes(kept)))
        connection.sendall(ANSWER)
        rest = max(0, have - start - length)
        view[:rest] = bytes(view[have - rest : have])
        return rest

    def stats(self) -> bytes:
        """Return the counts as JSON; `records` is null unless the bodies were kept."""
        bodies = [body for counts in list(self.counts) for body in counts.bodies]
        if sum(len(body) for _, body in bodies) > VERIFY_LIMIT_BYTES:
            raise MemoryError("verify mode kept more than 512 MiB: send fewer records")
        result = {
            "requests": sum(counts.requests for counts in list(self.counts)),
            "body_bytes": sum(counts.body_bytes for counts in list(self.counts)),
            "records": sum(record_count(head, body) for head, body in bodies)
            if self.mode == "verify"
            else None,
        }
        return json.dumps(result).encode()


def content_length(head: bytes) -> int:
    """Return the Content-Length of a request head; 0 when there is none."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return int(lowered[at + 17 : lowered.index(b"\r\n", at + 17)]) if at >= 0 else 0


def record_count(head: bytes, body: bytes) -> int:
    """Decode one request and return its log records, or its spans when it went to /v1/traces."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    lowered = head.lower()
    if b"content-encoding: gzip" in lowered:
        body = gzip.decompress(body)
    elif b"content-encoding: deflate" in lowered:
        body = zlib.decompress(body)
    if b"/v1/traces " in head:
        spans = ExportTraceServiceRequest.FromString(body)
        return sum(len(scope.spans) for resource in spans.resource_spans for scope in resource.scope_spans)
    logs = ExportLogsServiceRequest.FromString(body)
    return sum(len(scope.log_records) for resource in logs.resource_logs for scope in resource.scope_logs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", choices=("count", "verify", "hold", "slow"), default="count")
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    arguments = parser.parse_args()
    receiver = Receiver(arguments.port, arguments.mode, arguments.delay_seconds)
    print(receiver.port, flush=True)
    receiver.serve()


if __name__ == "__main__":
    main()
