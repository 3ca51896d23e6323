"""The rules of Splunk's HTTP Event Collector, without a network: a request goes in, an answer comes out.

Strict: what Splunk would guess at, this refuses or notes in `violations`. Taken are the events before the one
that is at fault, as `invalid-event-number` says. `tests/servers/hec.py` serves it over HTTP.
"""

import json
import threading
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TEXTS = {
    0: "Success",
    1: "Token disabled",
    2: "Token is required",
    3: "Invalid authorization",
    4: "Invalid token",
    5: "No data",
    6: "Invalid data format",
    7: "Incorrect index",
    8: "Internal server error",
    9: "Server is busy",
    10: "Data channel is missing",
    11: "Invalid data channel",
    12: "Event field is required",
    13: "Event field cannot be blank",
    14: "ACK is disabled",
    15: "Error in handling indexed fields",
    16: "Query string authorization is not enabled",
    17: "HEC is healthy",
    18: "HEC is unhealthy, queues are full",
}
STATUSES = {0: 200, 1: 403, 2: 401, 3: 401, 4: 403, 8: 500, 9: 503, 17: 200, 18: 503}
EVENT_KEYS = {"time", "host", "source", "sourcetype", "index", "event", "fields"}
METADATA = ("host", "source", "sourcetype", "index")


@dataclass(frozen=True)
class Token:
    """What a token may do: its indexes (None: any), whether indexers acknowledge, whether it is disabled."""

    indexes: frozenset[str] | None = None
    use_ack: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Request:
    """A request; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer; `reset`: the connection ends without one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False


@dataclass(frozen=True)
class Fault:
    """What happens to the next request for events instead of an answer by the rules.

    Attributes:
        take: How many of its events are taken all the same; None: all that the rules take.
        status: Of the answer; 0: the connection is reset.
        code: Splunk's code in its body; None: no body.
        numbered: Whether the answer says how many were taken.
        headers: Further headers.
    """

    take: int | None = 0
    status: int = 503
    code: int | None = 9
    numbered: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class _Refused(Exception):  # noqa: N818 - it ends the reading of a request
    def __init__(self, code: int, number: int | None = None, status: int | None = None) -> None:
        super().__init__(code)
        self.code, self.number, self.status = code, number, status


class Hec:
    """A collector.

    Args:
        tokens: By their text.
        max_content_length: Bytes of a body, as sent and unpacked; more is 413.
        max_event_bytes: Of one event; more is code 6.
        acknowledges: Whether indexers acknowledge at once; else `acknowledge` does.
        cookie: A cookie that the first answer sets, and every later request must carry.
        flat_fields: Stricter still: no arrays in fields, code 15.
    """

    def __init__(
        self,
        tokens: Mapping[str, Token],
        *,
        max_content_length: int = 838_860_800,
        max_event_bytes: int = 5_242_880,
        acknowledges: bool = True,
        cookie: str = "",
        flat_fields: bool = False,
    ) -> None:
        self.tokens = dict(tokens)
        self.max_content_length = max_content_length
        self.max_event_bytes = max_event_bytes
        self.acknowledges = acknowledges
        self.cookie = cookie
        self.flat_fields = flat_fields
        self.healthy = True
        self.faults: deque[Fault] = deque()
        self.choose: Callable[[Request], Fault | None] = lambda request: None
        self.events: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.acked: set[tuple[str, int]] = set()
        self._issued: dict[str, int] = {}
        self._lock = threading.RLock()

    def restart(self) -> None:
        """Forget channels and acknowledgements; what was taken stays."""
        with self._lock:
            self._issued.clear()
            self.acked.clear()

    def acknowledge(self) -> None:
        """Let indexers have written everything so far."""
        with self._lock:
            self.acked |= {(channel, n) for channel, count in self._issued.items() for n in range(count)}

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        with self._lock:
            self.requests.append(request)
            path = urlsplit(request.target).path
            answers = {"health": self._health, "ack": self._ack, "raw": self._take_raw}
            last = path.removesuffix("/1.0").rsplit("/", 1)[-1]
            if not path.startswith("/services/collector"):
                return Answer(404, b"not found")
            if request.method != ("GET" if last == "health" else "POST"):
                return Answer(405)
            try:
                return answers.get(last, self._take_events)(request)
            except _Refused as refused:
                return _said(refused.code, number=refused.number, status=refused.status)

    def _health(self, request: Request) -> Answer:
        return _said(17 if self.healthy else 18)

    def _ack(self, request: Request) -> Answer:
        token = self._token(request)
        if not token.use_ack:
            raise _Refused(14)
        channel = self._channel(request)
        try:
            wanted = json.loads(request.body)["acks"]
        except (ValueError, KeyError, TypeError):
            raise _Refused(6) from None
        acks = {str(number): (channel, number) in self.acked for number in wanted}
        self.acked -= {(channel, number) for number in wanted}  # said once, then forgotten
        return Answer(200, json.dumps({"acks": acks}).encode(), {"content-type": "application/json"})

    def _take_events(self, request: Request) -> Answer:
        token, channel = self._token(request), ""
        if token.use_ack:
            channel = self._channel(request)
        if not request.headers.get("content-type", "").startswith("application/json"):
            self.violations.append(f"content type {request.headers.get('content-type')}")
        return self._indexed(request, token, channel, lambda body: self._events(body, token))

    def _take_raw(self, request: Request) -> Answer:
        token, channel = self._token(request), self._channel(request)
        query = dict(parse_qsl(urlsplit(request.target).query))

        def read(body: bytes) -> tuple[list[dict[str, Any]], _Refused | None]:
            if query.get("index") and token.indexes is not None and query["index"] not in token.indexes:
                raise _Refused(7)
            said = {key: query[key] for key in METADATA if key in query}
            return [{**said, "event": line} for line in body.decode().splitlines() if line.strip()], None

        return self._indexed(request, token, channel, read)

    def _indexed(
        self,
        request: Request,
        token: Token,
        channel: str,
        read: Callable[[bytes], tuple[list[dict[str, Any]], _Refused | None]],
    ) -> Answer:
        self._check_cookie(request)
        events, refused = read(self._unpacked(request))
        fault = self.choose(request) or (self.faults.popleft() if self.faults else None)
        if fault is not None and fault.take is not None:
            events = events[: fault.take]
        self.events += events
        ack_id = None
        if token.use_ack and (fault is None or fault.status == 200):
            ack_id = self._issue(channel)
        if fault is not None:
            if not fault.status:
                return Answer(reset=True)
            number = len(events) if fault.numbered else None
            return _said(fault.code, number=number, status=fault.status, headers=fault.headers, ack_id=ack_id)
        if refused is not None:
            return _said(refused.code, number=refused.number, status=refused.status, ack_id=ack_id)
        headers = {"set-cookie": f"{self.cookie}; Path=/"} if self.cookie else {}
        return _said(0, ack_id=ack_id, headers=headers)

    def _issue(self, channel: str) -> int:
        number = self._issued.get(channel, 0)
        self._issued[channel] = number + 1
        if self.acknowledges:
            self.acked.add((channel, number))
        return number

    def _check_cookie(self, request: Request) -> None:
        posts = [each for each in self.requests[:-1] if each.method == "POST"]
        if self.cookie and posts and self.cookie not in request.headers.get("cookie", ""):
            self.violations.append("a request without the cookie that was set")

    def _token(self, request: Request) -> Token:
        if "token" in dict(parse_qsl(urlsplit(request.target).query)):
            raise _Refused(16)
        given = request.headers.get("authorization", "")
        if not given:
            raise _Refused(2)
        scheme, _, text = given.partition(" ")
        if scheme != "Splunk" or not text:
            raise _Refused(3)
        token = self.tokens.get(text)
        if token is None:
            raise _Refused(4)
        if token.disabled:
            raise _Refused(1)
        return token

    def _channel(self, request: Request) -> str:
        query = dict(parse_qsl(urlsplit(request.target).query))
        channel = request.headers.get("x-splunk-request-channel", query.get("channel", ""))
        if not channel:
            raise _Refused(10)
        try:
            return str(uuid.UUID(channel))
        except ValueError:
            raise _Refused(11) from None

    def _unpacked(self, request: Request) -> bytes:
        body, encoding = request.body, request.headers.get("content-encoding", "identity")
        if encoding == "gzip":
            unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                body = unpacker.decompress(body, self.max_content_length + 1)
            except zlib.error:
                raise _Refused(6) from None
            if len(body) <= self.max_content_length and not unpacker.eof:
                raise _Refused(6)
        elif encoding != "identity":
            raise _Refused(6)
        if len(body) > self.max_content_length:
            raise _Refused(27, status=413)
        if not body.strip():
            raise _Refused(5)
        return body

    def _events(self, body: bytes, token: Token) -> tuple[list[dict[str, Any]], _Refused | None]:
        """The events before the first that is at fault, and what is wrong with that one."""
        events: list[dict[str, Any]] = []
        try:
            text, place, decoder = body.decode(), 0, json.JSONDecoder(parse_constant=_not_json)
            while rest := text[place:].lstrip():
                place = len(text) - len(rest)
                event, end = decoder.raw_decode(text, place)
                self._check_event(event, end - place, token, len(events))
                events.append(event)
                place = end
        except _Refused as refused:
            return events, refused
        except ValueError:
            return events, _Refused(6, len(events))
        return events, None

    def _check_event(self, event: Any, size: int, token: Token, number: int) -> None:
        if not isinstance(event, dict) or size > self.max_event_bytes:
            raise _Refused(6, number)
        if strange := set(event) - EVENT_KEYS:
            self.violations.append(f"unknown keys {sorted(strange)}")
        if event.get("event") is None:
            raise _Refused(12, number)
        if event["event"] == "":
            raise _Refused(13, number)
        if not isinstance(event.get("time", 0), int | float | str) or isinstance(event.get("time"), bool):
            raise _Refused(6, number)
        if any(not isinstance(event.get(key, ""), str) for key in METADATA):
            raise _Refused(6, number)
        if event.get("index") and token.indexes is not None and event["index"] not in token.indexes:
            raise _Refused(7, number)
        fields = event.get("fields", {})
        if not isinstance(fields, dict) or not all(self._flat(value) for value in fields.values()):
            raise _Refused(15, number)

    def _flat(self, value: Any) -> bool:
        if isinstance(value, list):
            return not self.flat_fields and not any(isinstance(each, dict | list) for each in value)
        return isinstance(value, str | int | float)


def _not_json(word: str) -> None:
    raise ValueError(word)


def _said(
    code: int | None,
    *,
    number: int | None = None,
    status: int | None = None,
    ack_id: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    if code is None:
        return Answer(status or 500, b"", dict(headers or {}))
    said: dict[str, Any] = {"text": TEXTS.get(code, "unknown"), "code": code}
    if number is not None:
        said["invalid-event-number"] = number
    if ack_id is not None:
        said["ackId"] = ack_id
    body = json.dumps(said).encode()
    return Answer(
        status or STATUSES.get(code, 400), body, {"content-type": "application/json", **(headers or {})}
    )
