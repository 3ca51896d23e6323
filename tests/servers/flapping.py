"""An OTLP/HTTP receiver that is down every now and then, for runs too long to keep what arrives.

Of each request it keeps which sequence numbers came: one range. Run as a program it prints its port; after a
line on standard input it stays good; when its standard input ends, it prints what it received as JSON.
"""

import argparse
import contextlib
import gzip
import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

LOOPBACK = "127.0.0.1"
SEQUENCE = "fapilog.sequence"
SLOW_SECONDS = 0.1
# Every second state is a good one. `cut` closes without an answer, `lost` takes the records first.
BAD = ("refuse", "503", "slow", "cut", "lost")


@dataclass
class Received:
    """What came, as ranges of sequence numbers."""

    requests: int = 0
    records: int = 0
    answers_lost: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)
    holes_in_requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes, *, is_json: bool) -> None:
        """Counts a request: its first and its last number, and whether all between them are in it."""
        scopes = _runs_in_json(body) if is_json else _runs_in_protobuf(body)
        # A block is sealed from one chunk: grouped by scope, its numbers are one run all the same.
        first, last = min(run[0] for run in scopes), max(run[1] for run in scopes)
        records = sum(run[2] for run in scopes)
        with self.lock:
            self.requests += 1
            self.records += records
            self.ranges.append((first, last))
            self.holes_in_requests += last - first + 1 - records

    def summary(self) -> dict[str, int]:
        """The ranges as a few numbers: what is missing up to the last one, and what came twice."""
        with self.lock:
            distinct, end = covered(self.ranges)
            return {
                "requests": self.requests,
                "records": self.records,
                "distinct": distinct,
                "missing": end - distinct,
                "holes_in_requests": self.holes_in_requests,
                "answers_lost": self.answers_lost,
            }


def covered(ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """How many numbers some ranges cover, and the number after the last."""
    count, end = 0, 0
    for first, last in sorted(ranges):
        count += max(0, last + 1 - max(first, end))
        end = max(end, last + 1)
    return count, end


def _runs_in_protobuf(body: bytes) -> list[tuple[int, int, int]]:
    """The first and the last number of each scope, and how many records it has."""

    def number(record: Any) -> int:
        value: int = _number(record.attributes).value.int_value
        return value

    resources = ExportLogsServiceRequest.FromString(body).resource_logs
    scopes = [scope.log_records for resource in resources for scope in resource.scope_logs]
    return [(number(logs[0]), number(logs[-1]), len(logs)) for logs in scopes]


def _runs_in_json(body: bytes) -> list[tuple[int, int, int]]:
    """The same without protobuf's own reader of JSON, which is three hundred times slower than `json`."""

    def number(record: Any) -> int:
        return int(_number(record["attributes"])["value"]["intValue"])

    resources = json.loads(body)["resourceLogs"]
    scopes = [scope["logRecords"] for resource in resources for scope in resource["scopeLogs"]]
    return [(number(logs[0]), number(logs[-1]), len(logs)) for logs in scopes]


def _number(attributes: Any) -> Any:
    # Added for delivery, so it is the last one.
    for attribute in reversed(attributes):
        if (attribute["key"] if isinstance(attribute, dict) else attribute.key) == SEQUENCE:
            return attribute
    raise ValueError(f"a record without {SEQUENCE}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, flapping: "Flapping") -> None:
        self.flapping = flapping
        self.connections: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about connections that were cut."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client went away")
        flapping = self.server.flapping
        state = flapping.state
        if state == "slow":
            time.sleep(SLOW_SECONDS)
        if state in {"cut", "503"}:
            self._end(503 if state == "503" else None)
            return
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        flapping.received.take(body, is_json="json" in self.headers["content-type"])
        if state == "lost":
            flapping.received.answers_lost += 1
        self._end(None if state == "lost" else 200)

    def _end(self, status: int | None) -> None:
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class Flapping:
    """The receiver: good and bad by turns, on one port.

    Args:
        good_seconds: How long it is well.
        bad_seconds: How long it is not; each kind of trouble has its turn.
        port: Where it listens; 0: a free one.
    """

    def __init__(self, good_seconds: float, bad_seconds: float, port: int = 0) -> None:
        self.received = Received()
        self.state = "good"
        self._seconds = good_seconds, bad_seconds
        self._stopping = threading.Event()
        self._server = self._listen(port)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._flap, daemon=True)

    def start(self) -> None:
        """Begins to flap, with a good time."""
        self._thread.start()

    def stop_flapping(self) -> None:
        """Stays good from now on."""
        self._stopping.set()
        self._thread.join()

    def _flap(self) -> None:
        good, bad = self._seconds
        for trouble in itertools.cycle(BAD):
            if self._stopping.wait(good):
                return
            self.state = trouble
            if trouble == "refuse":
                self._hang_up()
            self._stopping.wait(bad)
            if trouble == "refuse":
                self._server = self._listen(self.port)
            self.state = "good"

    def _listen(self, port: int) -> _Server:
        server = _Server(port, self)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _hang_up(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Runs until standard input ends: a line says to stay good, the end to tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good-seconds", type=float, default=2.0)
    parser.add_argument("--bad-seconds", type=float, default=0.5)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    flapping = Flapping(arguments.good_seconds, arguments.bad_seconds, arguments.port)
    flapping.start()
    print(flapping.port, flush=True)
    sys.stdin.readline()
    flapping.stop_flapping()
    print("good", flush=True)
    sys.stdin.read()
    print(json.dumps(flapping.received.summary()), flush=True)


if __name__ == "__main__":
    main()
