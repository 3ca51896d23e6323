"""What an `OtlpReceiver` has got so far, and what it is to answer next; shared by all its threads."""

import threading
from collections import deque
from collections.abc import Callable

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog.testing.answers import Answer, Ok, ReceivedRequest
from fapilog.testing.decoding import ReceivedLogRecord, count_log_records, decode_log_records


class Inbox:
    """Kept by the connections' threads, read and waited for by the test's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers: deque[Answer] = deque()
        self._default_answer: Answer = Ok()
        self._requests: list[ReceivedRequest] = []
        # Decoded when somebody looks: a load test counts far more records than it reads.
        self._undecoded: deque[ExportLogsServiceRequest] = deque()
        self._log_records: list[ReceivedLogRecord] = []
        self._log_record_count = 0
        self._connections = 0
        self._handshake_errors: list[OSError] = []

    def connection_opened(self) -> None:
        """A TCP connection was accepted."""
        with self._changed:
            self._connections += 1

    def handshake_failed(self, error: OSError) -> None:
        """A client gave up, or was turned away, during the TLS handshake."""
        with self._changed:
            self._handshake_errors.append(error)
            self._changed.notify_all()

    def request_arrived(self, request: ReceivedRequest) -> Answer:
        """Keeps a request and says how to answer it."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
            return self._answers.popleft() if self._answers else self._default_answer

    def request_refused(self, request: ReceivedRequest) -> None:
        """Keeps a request that was refused without using up an answer."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def records_accepted(self, request: ReceivedRequest) -> None:
        """Counts the request's log records, if it has any, as taken."""
        if not isinstance(request.message, ExportLogsServiceRequest):
            return
        with self._changed:
            self._undecoded.append(request.message)
            self._log_record_count += count_log_records(request.message)
            self._changed.notify_all()

    def answer_with(self, *answers: Answer) -> None:
        """Adds answers for the next requests, one each."""
        with self._changed:
            self._answers.extend(answers)

    def answer_always_with(self, answer: Answer) -> None:
        """Sets the answer for requests that no other is left for."""
        with self._changed:
            self._default_answer = answer

    def requests(self) -> list[ReceivedRequest]:
        """All requests so far."""
        with self._changed:
            return list(self._requests)

    def log_records(self) -> list[ReceivedLogRecord]:
        """All log records that were taken so far."""
        with self._changed:
            while self._undecoded:
                self._log_records += decode_log_records(self._undecoded.popleft())
            return list(self._log_records)

    def log_record_count(self) -> int:
        """How many log records were taken so far."""
        with self._changed:
            return self._log_record_count

    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        with self._changed:
            return self._connections

    def handshake_errors(self) -> list[OSError]:
        """Why TLS handshakes failed so far."""
        with self._changed:
            return list(self._handshake_errors)

    def wait_for(self, current: Callable[[], int], wanted: int, what: str, timeout_seconds: float) -> None:
        """Blocks until `current()` is at least `wanted`.

        Raises:
            TimeoutError: It was not within `timeout_seconds`; the message says what came instead.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: current() >= wanted, timeout_seconds):
                raise TimeoutError(
                    f"OtlpReceiver: {current()} of {wanted} {what} within {timeout_seconds} s"
                    f" ({len(self._requests)} requests, {self._log_record_count} log records taken,"
                    f" {self._connections} connections, {len(self._handshake_errors)} failed TLS handshakes)"
                )
