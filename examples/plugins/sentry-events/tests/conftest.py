"""A strict server of Sentry's envelopes on loopback.

What breaks its rules is answered with 400 and remembered. They are
those of Sentry's documentation for developers: envelopes, event payloads, logs.
"""

import gzip
import json
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fapilog import LogBatch
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from sentry_events import SentryExporter

KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
PATH = "/api/42/envelope/"
_AUTH = {"sentry_version": "7", "sentry_key": KEY}
_ID, _SPAN = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")
_TYPES = {"string": str, "boolean": bool, "integer": int, "double": float}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")
_EVENT_KEYS = {
    *("event_id", "timestamp", "platform", "level", "logger", "server_name", "release", "environment"),
    *("logentry", "exception", "fingerprint", "contexts", "tags", "extra", "user"),
    # Of Sentry's SDK alone.
    *("sdk", "modules", "breadcrumbs", "transaction_info"),
}
_LOG_TYPE = "application/vnd.sentry.items.log+json"


def need(condition: object, what: str) -> None:
    if not condition:
        raise ValueError(what)


def items_of(body: bytes) -> tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]]]:
    """Split an envelope by its grammar: headers, then items with their lengths."""
    head, _, rest = body.partition(b"\n")
    need(re.fullmatch(rb"\{.*\}", head), "headers are one line")
    items = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header["length"]
        need(len(rest) >= length, "the payload is shorter than its length")
        payload, rest = rest[:length], rest[length:]
        need(rest in (b"", b"\n") or rest.startswith(b"\n"), "a newline ends each payload")
        rest = rest[1:]
        items.append((header, payload))
    return json.loads(head), items


def check_event(event: dict[str, Any]) -> None:
    """Raise for what is no event."""
    need(set(event) <= _EVENT_KEYS, f"unknown keys: {sorted(set(event) - _EVENT_KEYS)}")
    need(_ID.fullmatch(event["event_id"]), "event_id has 32 small hexadecimal digits")
    time = event["timestamp"]
    need(isinstance(time, float) or _TIME.fullmatch(time), "timestamp is a number of seconds, or a text")
    need(event["level"] in ("fatal", "error", "warning", "info", "debug"), "level is a word of Sentry's")
    message = event.get("logentry", {"formatted": ""})["formatted"]
    need(isinstance(message, str) and len(message) <= 8_192, "a message is a text of 8,192 characters")
    need(all(isinstance(each, str) for each in event.get("fingerprint", [])), "a fingerprint is texts")
    for key, value in event.get("tags", {}).items():
        need(re.fullmatch(r"[a-zA-Z0-9_.:-]{1,32}", key), f"{key} is no name of a tag")
        need(isinstance(value, str) and 0 < len(value) <= 200 and "\n" not in value, f"{key} is no tag")
    if trace := event["contexts"].get("trace"):
        need(_ID.fullmatch(trace["trace_id"]) and _SPAN.fullmatch(trace["span_id"]), "ids of a trace")
    for each in event.get("exception", {"values": []})["values"]:
        need(each["type"] and isinstance(each["value"], str), "an exception has type and value")
        for frame in each.get("stacktrace", {"frames": []})["frames"]:
            need(isinstance(frame["lineno"], int) and frame["filename"], "a frame has file and line")


def check_log(log: dict[str, Any]) -> None:
    """Raise for what is no log."""
    need(_ID.fullmatch(log["trace_id"]), "a log has a trace id")
    need(_SPAN.fullmatch(log.get("span_id", "0" * 16)), "a span id has 16 hexadecimal digits")
    need(log["level"] in ("fatal", "error", "warn", "info", "debug", "trace"), "level is a word of Sentry's")
    need(isinstance(log["body"], str) and isinstance(log["timestamp"], float), "body and time")
    need(1 <= log.get("severity_number", 1) <= 24, "severity_number is one of OpenTelemetry's")
    for key, value in log["attributes"].items():
        need(set(value) == {"value", "type"}, f"{key} has a value and a type")
        need(type(value["value"]) is _TYPES[value["type"]], f"{key} is no {value['type']}")


@dataclass
class Script:
    """What the next request is answered with, and whether its records are taken."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    take: bool = False


class Sentry(ThreadingHTTPServer):
    """A project: its events by their ids, its logs, and what was wrong with requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: dict[str, dict[str, Any]] = {}
        self.logs: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.requests = 0
        self.script: deque[Script] = deque()
        self.always: Script | None = None
        self.lock = threading.Lock()

    @property
    def dsn(self) -> str:
        """Address of the project."""
        return f"http://{KEY}@127.0.0.1:{self.server_port}/42"

    def exporter(self, **given: Any) -> SentryExporter:
        """An exporter into the project."""
        return SentryExporter(**{"dsn": self.dsn, "refused_pause_millis": 1, **given})

    def take(self, body: bytes) -> None:
        """Take what a request holds, all of it or nothing."""
        headers, items = items_of(body)
        need(_TIME.fullmatch(headers["sent_at"]), "sent_at is UTC")
        need(len(items) == 1, "one item")
        [(header, payload)] = items
        content = json.loads(payload)
        if header["type"] == "event":
            need(headers["event_id"] == content["event_id"], "both ids are the same")
            check_event(content)
            self.events.setdefault(content["event_id"], content)  # the first of an id stays
        else:
            need((header["type"], header["content_type"]) == ("log", _LOG_TYPE), "an item of logs")
            need(header["item_count"] == len(content["items"]), "item_count says how many")
            need(0 < header["item_count"] <= 100, "100 logs at most")
            for log in content["items"]:
                check_log(log)
            self.logs += content["items"]


class Handler(BaseHTTPRequestHandler):
    """Answers one request after another."""

    server: Sentry
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.requests += 1
            default = self.server.always or Script(200, take=True)
            script = self.server.script.popleft() if self.server.script else default
            answer = self._judged(body, script)
        if answer.status == 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _judged(self, body: bytes, script: Script) -> Script:
        if not script.take:
            return script
        try:
            need(self.path == PATH, "the path")
            scheme, _, pairs = self.headers["X-Sentry-Auth"].partition(" ")
            said = dict(pair.strip().split("=", 1) for pair in pairs.split(","))
            need((scheme, _AUTH.items() <= said.items()) == ("Sentry", True), "X-Sentry-Auth")
            need("/" in said["sentry_client"], "sentry_client is NAME/VERSION")
            need(self.headers["Content-Type"] == "application/x-sentry-envelope", "Content-Type")
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            self.server.take(body)
        except (ValueError, KeyError, TypeError) as error:
            self.server.violations.append(repr(error))
            return Script(400, {"X-Sentry-Error": repr(error)})
        return script


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SENTRY_", "FAPILOG_", "OTEL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    with Sentry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)
        assert server.violations == []


def _value(value: Any) -> AnyValue:
    match value:
        case list():
            return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def records(
    *bodies: str, severity: int = 17, event_name: str = "", trace: bool = True, **attributes: Any
) -> LogBatch:
    """A batch with a record for each body, as a service logs them inside a span."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    for key, value in {"service.name": "checkout", "service.version": "1.4.2", "host.name": "web-3"}.items():
        resource.resource.attributes.add(key=key).value.string_value = value
    scope = resource.scope_logs.add()
    scope.scope.name = "shop"
    for body in bodies:
        record = scope.log_records.add(
            time_unix_nano=1_795_219_200_123_456_789, severity_number=severity, event_name=event_name
        )
        if trace:
            record.trace_id = bytes.fromhex("5b8efff798038103d269b633813fc60c")
            record.span_id = bytes.fromhex("eee19b7ec3c1b174")
        record.body.string_value = body
        for key, value in attributes.items():
            record.attributes.add(key=key).value.CopyFrom(_value(value))
    return LogBatch(request.SerializeToString())


@pytest.fixture
def make_batch() -> Any:
    return records


@pytest.fixture
def answer() -> Any:
    return Script
