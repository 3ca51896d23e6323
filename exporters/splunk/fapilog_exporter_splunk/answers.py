"""What the collector said about one request: a pure function from its answer to what happens to the events.

Codes and texts are Splunk's (`docs/how-to/splunk.md` has the table). An unknown code never decides anything:
the HTTP status does. Threads: delivery loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from fapilog.exporters.http import Response, retry_after_millis, shown

# Code of an event, by which a request ends, and the reason that it is counted by.
EVENT_FAULTS = {
    6: "invalid_data_format",
    7: "incorrect_index",
    12: "event_required",
    13: "event_blank",
    15: "indexed_fields",
}
INCORRECT_INDEX, INDEXED_FIELDS, ACK_DISABLED, BUSY = 7, 15, 14, 9
# 1-4 with 401 and 403; 21, 22 with 400.
_TOKEN_FAULTS = frozenset({1, 2, 3, 4, 21, 22})
_REQUEST_FAULTS = {
    5: "no_data",
    10: "channel_missing",
    11: "channel_invalid",
    16: "query_authorization",
}
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "check the token",
    HTTPStatus.FORBIDDEN: "check the token: it is unknown or disabled",
    HTTPStatus.NOT_FOUND: "no collector there, or a rolling restart: check the URL",
}
# Of an id: Python reads no number of thousands of digits.
_ID_DIGITS = 20
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
# Others may come from a balancer that lost the collector's answer.
_TAKES_NOTHING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Fate(Enum):
    """What becomes of the events of one request."""

    TAKEN = "all were taken"
    EVENT = "those before one event were taken, that event is at fault, the others come again"
    BUSY = "those before one event were taken, all others come again later"
    LATER = "nothing was taken; all come again later"
    NOT_FOUND = "as `LATER`, for a bounded time"
    TOKEN = "the token was refused"  # noqa: S105  # nosec B105 - what happened to it
    TOO_LARGE = "halves may be taken"
    REFUSED = "never"


@dataclass(frozen=True)
class Answer:
    """What one attempt came to.

    Attributes:
        fate: What becomes of the events.
        position: The event that `EVENT` and `BUSY` are about, counted from 0; None: the collector names none.
        code: Splunk's code; None: there is none.
        ack_id: Where indexers acknowledge: what to ask for.
        retry_after_millis: The pause that the collector asked for.
        cause: For people; never a secret.
        reason: One word: what dropped events are counted by, and `error.type`.
        uncertain: Whether events may have been taken all the same.
    """

    fate: Fate
    position: int | None = None
    code: int | None = None
    ack_id: int | None = None
    retry_after_millis: int | None = None
    cause: str = ""
    reason: str = ""
    uncertain: bool = False


def read(response: Response, events: int, now: float, hide: Callable[[str], str] = str) -> Answer:
    """Read an answer to a request with so many events.

    Args:
        response: Status, headers, body.
        events: How many events the request had.
        now: Unix seconds, for a `Retry-After` that is a date.
        hide: Hides secrets in a text that is shown.

    Example:
        >>> body = b'{"text":"Invalid data format","code":6,"invalid-event-number":2}'
        >>> answer = read((400, [], body), 5, 0.0)
        >>> answer.fate.name, answer.position, answer.reason
        ('EVENT', 2, 'invalid_data_format')
    """
    status, headers, body = response
    said = _said(body)
    code = _number(said.get("code"))
    ack_id = _number(said.get("ackId"))
    if 200 <= status < 300:
        return Answer(Fate.TAKEN, code=code, ack_id=ack_id)
    given = said.get("invalid-event-number")
    position = _number(given)
    if position is not None and position >= events:
        position = None
    cause = _cause(status, hide(body.decode("utf-8", "replace")))
    fate, reason = _fate(status, code, position)
    after = (
        retry_after_millis(list(headers), now) if fate in (Fate.LATER, Fate.BUSY, Fate.NOT_FOUND) else None
    )
    unclear = fate is Fate.LATER and (status not in _TAKES_NOTHING or given is not None)
    return Answer(fate, position, code, ack_id, after, cause, reason, unclear)


def _fate(status: int, code: int | None, position: int | None) -> tuple[Fate, str]:
    if status == HTTPStatus.BAD_REQUEST:
        return _bad_request(code)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Fate.TOKEN, "token_refused"
    if status == HTTPStatus.NOT_FOUND:
        return Fate.NOT_FOUND, "not_found"
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Fate.TOO_LARGE, "request_too_large"
    if status in _LATER or status >= 500:
        partly = position is not None and status == HTTPStatus.SERVICE_UNAVAILABLE
        return (Fate.BUSY if partly else Fate.LATER), str(status)
    return Fate.REFUSED, str(status)


def _bad_request(code: int | None) -> tuple[Fate, str]:
    if code in EVENT_FAULTS:
        return Fate.EVENT, EVENT_FAULTS[code]
    if code in _TOKEN_FAULTS:
        return Fate.TOKEN, "token_refused"
    return Fate.REFUSED, _REQUEST_FAULTS.get(code or 0, "400")


def read_acknowledged(body: bytes) -> frozenset[int]:
    """Return the ids that an answer of `/services/collector/ack` says yes to.

    Example:
        >>> sorted(read_acknowledged(b'{"acks":{"0":true,"1":false,"7":true}}'))
        [0, 7]
    """
    acks = _said(body).get("acks")
    if not isinstance(acks, dict):
        return frozenset()
    said = (key for key, yes in acks.items() if yes is True)
    return frozenset(int(key) for key in said if key.isdecimal() and len(key) <= _ID_DIGITS)


def code_of(body: bytes) -> int | None:
    """Return Splunk's code in a body, if there is one."""
    return _number(_said(body).get("code"))


def _said(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _cause(status: int, body: str) -> str:
    try:
        cause = f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        cause = f"HTTP {status}"
    text = shown(body)
    cause = f"{cause}: {text}" if text else cause
    if 300 <= status < 400:
        return f"{cause} (redirects are not followed: set the final URL)"
    return f"{cause} ({_HINTS[HTTPStatus(status)]})" if status in _HINTS else cause
