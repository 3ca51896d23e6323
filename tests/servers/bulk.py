"""A server of bulk requests that fails as it is told: Elasticsearch's and OpenSearch's answers, item by item.

Strict where they are: `create` alone, `@timestamp`, a newline at the end, ids once. What it says is compared
with what OpenSearch says in `exporters/elasticsearch/tests/test_opensearch.py`.
"""

import gzip
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from tests.servers import bulk_answers
from tests.servers.bulk_answers import FAILURES, Refused

Verdict = Callable[["Sent"], int | None]


@dataclass(frozen=True)
class Sent:
    """One document of a request.

    Attributes:
        index: Where to.
        id: Its id; None: the server makes one.
        document: What is to be indexed.
        attempt: How often this id came before: 0 at first.
    """

    index: str
    id: str | None
    document: dict[str, Any]
    attempt: int


@dataclass(frozen=True)
class Fault:
    """What happens to a whole request.

    Attributes:
        status: The answer; 0: none, the connection is cut.
        headers: Of the answer, such as `Retry-After`.
        after: The documents are taken, and then it happens.
        seconds: What the answer waits for.
        body: Of the answer; None: an error as the servers write it.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    seconds: float = 0.0
    body: bytes | None = None


@dataclass(frozen=True)
class Request:
    """A bulk request that arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    documents: int
    bytes: int


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about clients that go away."""


class BulkServer:
    """A running server.

    Args:
        product: Whose headers and options it has.
        verdict: The status of a document that could be taken; None: 201.
        authorization: The header that is expected; None: any.
        limit_bytes: Of a body before compression.
        port: 0: any.
    """

    def __init__(
        self,
        product: Literal["elasticsearch", "opensearch"] = "elasticsearch",
        *,
        verdict: Verdict = lambda sent: None,
        authorization: str | None = None,
        limit_bytes: int = 100_000_000,
        port: int = 0,
    ) -> None:
        self.product = product
        self.verdict = verdict
        self.authorization = authorization
        self.limit_bytes = limit_bytes
        self.known_options = {"filter_path", "pipeline", "refresh"}
        self.knows_require_data_stream = product == "elasticsearch"
        self.requests: list[Request] = []
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.taken: Counter[tuple[str, str]] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._faults: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The URL of this node."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def script(self, *faults: Fault | None) -> None:
        """Adds what happens to the next requests that have documents; None: nothing."""
        self._faults.extend(faults)

    def bulk_requests(self) -> list[Request]:
        """The requests that had documents."""
        with self._lock:
            return [each for each in self.requests if each.documents]

    def bodies(self) -> list[Any]:
        """What was indexed."""
        with self._lock:
            return list(self.documents.values())

    def answer(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """Answers one request: status, headers, body; None: the connection is cut."""
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        named = {"X-elastic-product": "Elasticsearch"}
        if self.product == "opensearch":
            named = {"X-OpenSearch-Version": "OpenSearch/3.8.0 (opensearch)"}
        fault: Fault | None = None
        try:
            lines = self._checked(path, headers, body)
            fault = self._note(path, headers, body, lines)
            if fault is not None and not fault.after:
                time.sleep(fault.seconds)
                return self._failed(fault, named)
            with self._lock:
                answered = 200, bulk_answers.answer([self._take(*line) for line in lines])
        except Refused as refused:
            answered = refused.status, refused.body()
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.status != 200:
                return self._failed(fault, named)
        filters = parse_qs(urlsplit(path).query).get("filter_path", [""])[0]
        content = bulk_answers.filtered(answered[1], [each for each in filters.split(",") if each])
        return answered[0], named, json.dumps(content).encode()

    def _failed(self, fault: Fault, named: dict[str, str]) -> tuple[int, dict[str, str], bytes] | None:
        if not fault.status:
            return None
        body = fault.body
        if body is None:
            body = json.dumps(bulk_answers.whole(fault.status)).encode()
        return fault.status, named | fault.headers, body

    def _checked(self, path: str, headers: dict[str, str], body: bytes) -> list[tuple[dict[str, Any], Any]]:
        if self.authorization is not None and headers.get("authorization") != self.authorization:
            raise Refused(401, "security_exception", "unable to authenticate with provided credentials")
        if headers.get("content-type", "").split(";")[0] not in ("application/x-ndjson", "application/json"):
            raise Refused(406, "", f"Content-Type header [{headers.get('content-type')}] is not supported")
        if len(body) > self.limit_bytes:
            raise Refused(413, "", "")
        if not body:
            raise Refused(400, "parse_exception", "request body is required")
        unknown = [each for each in parse_qs(urlsplit(path).query) if each not in self.known_options]
        if unknown:
            raise Refused(
                400,
                "illegal_argument_exception",
                f"request [/_bulk] contains unrecognized parameter: [{unknown[0]}]",
            )
        return bulk_answers.lines(body, self.knows_require_data_stream)

    def _note(self, path: str, headers: dict[str, str], body: bytes, lines: list[Any]) -> Fault | None:
        with self._lock:
            self.requests.append(Request(path, headers, len(lines), len(body)))
            return self._faults.popleft() if self._faults else None

    def _take(self, action: dict[str, Any], document: Any) -> tuple[str, int, dict[str, Any]]:
        """Index one document: its operation, status and error."""
        (operation, target), *_ = action.items()
        index, given = target["_index"], target.get("_id")
        refusal = bulk_answers.refusal(operation, index, document)
        if refusal is not None:
            return operation, *refusal
        key = (index, given if given is not None else f"made-{len(self.documents)}")
        sent = Sent(index, given, document, self._attempts[key])
        self._attempts[key] += 1
        if key in self.documents:
            reason = f"[{key[1]}]: version conflict, document already exists (current version [1])"
            return operation, 409, {"type": "version_conflict_engine_exception", "reason": reason}
        status = self.verdict(sent)
        if status is not None and status != 201 and status != bulk_answers.FAILURE_STORE:
            kind, reason = FAILURES[status]
            return operation, status, {"type": kind, "reason": reason}
        self.documents[key] = document
        self.taken[key] += 1
        return operation, status or 201, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answered = receiver.answer(self.path, headers, body)
                if answered is None:
                    self.close_connection = True
                    return
                status, named, content = answered
                self.send_response(status)
                for name, value in named.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler
