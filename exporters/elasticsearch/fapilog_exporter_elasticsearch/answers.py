"""What a server said about a bulk request: one fate for each document, or one for all. Pure functions.

| document | fate |
|---|---|
| 2xx | taken; with `failure_store: used` kept aside, as the server could not index it |
| 409 | with an `_id` of ours it is there already: an earlier attempt arrived |
| 408, 429, 503 | later: a full queue, a full disk, a shard that is not there |
| other 5xx | later with an `_id`; without one it might come twice, so it is refused |
| everything else | refused for good |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from fapilog.exporters.http import Response, retry_after_millis, shown

Hide = Callable[[str], str]

_LATER = (408, 429, 503)
_CREATED = b'{"create":{"status":201}}'
_NODE_TROUBLE = (502, 503, 504)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,79}")
# Values of documents, which servers quote.
_QUOTED = re.compile(r"\.? ?Preview of field's value.*|(For input string: )\".*", re.DOTALL)
_UNKNOWN_OPTION = "unknown parameter [require_data_stream]"
_HINTS = {
    401: "check api_key, or username and password",
    403: "the key needs create_doc and auto_configure on the data stream, and the index no block",
    404: "no index template with a data stream has this name: create one, or set dataset, namespace or index",
    405: "is this the URL of Elasticsearch or OpenSearch?",
}


class Fate(Enum):
    """What becomes of a document, or of all documents of a request."""

    TAKEN = auto()
    DUPLICATE = auto()
    KEPT_ASIDE = auto()
    LATER = auto()
    REFUSED = auto()
    # Of requests alone.
    EACH = auto()
    TOO_LARGE = auto()
    CREDENTIALS = auto()
    OPTION_UNKNOWN = auto()


@dataclass(frozen=True)
class Item:
    """The answer for one document.

    Attributes:
        fate: What becomes of it.
        reason: The kind of failure, for counters.
        cause: For people.
    """

    fate: Fate
    reason: str = ""
    cause: str = ""


TAKEN = Item(Fate.TAKEN)


@dataclass(frozen=True)
class Answer:
    """The answer for a request.

    Attributes:
        fate: Of all documents; `EACH`: each has its own in `items`.
        items: In the order of the documents.
        reason: The kind of failure, for counters.
        cause: For people.
        retry_after_millis: The pause that the server asked for.
    """

    fate: Fate
    items: Sequence[Item] = ()
    reason: str = ""
    cause: str = ""
    retry_after_millis: int | None = None


def read(response: Response, documents: int, *, ids: bool, now: float, hide: Hide) -> Answer:
    """Read the answer to a bulk request.

    Args:
        response: Status, headers, body.
        documents: How many were sent.
        ids: Whether they had an `_id` of ours.
        now: Unix seconds, for a `Retry-After` that is a date.
        hide: Hides secrets that the server repeats.

    Example:
        >>> body = b'{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429}}]}'
        >>> answer = read((200, [], body), 2, ids=True, now=0.0, hide=str)
        >>> [item.fate.name for item in answer.items]
        ['TAKEN', 'LATER']
    """
    status, headers, body = response
    if status == 200 and body == _all_created(documents):
        return Answer(Fate.EACH, [TAKEN] * documents)
    if not 200 <= status < 300:
        return _whole(status, headers, body, now, hide)
    found = _json(body)
    items = found.get("items")
    if found.get("errors") is False and items is None:
        return Answer(Fate.EACH, [TAKEN] * documents)
    if not isinstance(items, list) or len(items) != documents:
        cause = f"HTTP {status}, but no answer for each of {documents} documents: {shown(hide(_text(body)))}"
        return Answer(Fate.LATER, reason="answer_unreadable", cause=cause)
    if found.get("errors") is False and b'"failure_store"' not in body:
        # As it nearly always is: no need to look at each.
        return Answer(Fate.EACH, [TAKEN] * documents)
    return Answer(Fate.EACH, [_item(each, ids, hide) for each in items])


def _all_created(documents: int) -> bytes:
    """What servers write when they took all: to compare it costs far less than to read it."""
    return b'{"errors":false,"items":[%b]}' % ((_CREATED + b",") * documents)[:-1]


def is_node_trouble(status: int) -> bool:
    """Tell whether another node may do better."""
    return status in _NODE_TROUBLE


def product(headers: Sequence[tuple[str, str]]) -> str | None:
    """Return which product answered; None: neither says so.

    Example:
        >>> product([("x-elastic-product", "Elasticsearch")]), product([("x-opensearch-version", "3.8.0")])
        ('elasticsearch', 'opensearch')
    """
    named = {name.lower(): value for name, value in headers}
    if named.get("x-elastic-product", "").lower() == "elasticsearch":
        return "elasticsearch"
    return "opensearch" if "x-opensearch-version" in named else None


def _whole(status: int, headers: Sequence[tuple[str, str]], body: bytes, now: float, hide: Hide) -> Answer:
    kind, text = _error(_json(body).get("error"), hide)
    cause = f"HTTP {status}" + (f" {kind}" if kind else "")
    text = text or shown(hide(_text(body)))
    cause = f"{cause}: {text}" if text else cause
    if status in _HINTS:
        cause = f"{cause} ({_HINTS[status]})"
    reason = str(status)
    if status in (401, 403):
        return Answer(Fate.CREDENTIALS, reason=reason, cause=cause)
    if status == 413:
        return Answer(Fate.TOO_LARGE, reason=reason, cause=cause)
    if status in _LATER or status >= 500:
        after = retry_after_millis(headers, now)
        if after is None and status == 429:
            after = 0  # it is there, and too busy
        return Answer(Fate.LATER, reason=reason, cause=cause, retry_after_millis=after)
    if status == 400 and _UNKNOWN_OPTION in _text(body):
        return Answer(Fate.OPTION_UNKNOWN, reason=reason, cause=cause)
    if 300 <= status < 400:
        cause += " (redirects are not followed: set the final URL)"
    return Answer(Fate.REFUSED, reason=reason, cause=cause)


def _item(entry: Any, ids: bool, hide: Hide) -> Item:
    entry = next(iter(entry.values()), None) if isinstance(entry, Mapping) else None
    status = entry.get("status") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(status, int) or isinstance(status, bool):
        return Item(Fate.LATER, "answer_unreadable", "the answer for a document has no status")
    kind, text = _error(entry.get("error"), hide)
    reason = kind or str(status)
    cause = f"{status} {kind}".rstrip() + (f": {text}" if text else "")
    if 200 <= status < 300:
        aside = entry.get("failure_store") == "used"
        return Item(Fate.KEPT_ASIDE, "failure_store", cause) if aside else TAKEN
    if status == 409 and ids:
        return Item(Fate.DUPLICATE)
    if status in _LATER or (status >= 500 and ids):
        return Item(Fate.LATER, reason, cause)
    if status in _HINTS:
        cause = f"{cause} ({_HINTS[status]})"
    return Item(Fate.REFUSED, reason, cause)


def _error(error: Any, hide: Hide) -> tuple[str, str]:
    """Kind and text of an error, without values of documents."""
    if isinstance(error, str):
        return "", shown(hide(_QUOTED.sub(r"\1...", error)))
    if not isinstance(error, Mapping):
        return "", ""
    kind, reason, by = error.get("type"), error.get("reason"), error.get("caused_by")
    kind = kind if isinstance(kind, str) and _KIND.fullmatch(kind) else ""
    text = shown(hide(_QUOTED.sub(r"\1...", reason))) if isinstance(reason, str) else ""
    deeper = by.get("type") if isinstance(by, Mapping) else None
    if isinstance(deeper, str) and _KIND.fullmatch(deeper):
        text = f"{text} (by {deeper})".strip()
    return kind, text


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(body: bytes) -> str:
    return body[:4_096].decode("utf-8", "replace")
