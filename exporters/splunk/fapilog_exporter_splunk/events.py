"""The events of one batch: encoded once, cut by size, one of them changed where the collector asks for it.

Stage 6 of 7, export. The native encoder writes them; Python looks only at an event that was refused, and at
all of them for the raw endpoint. Threads: a worker encodes, the delivery loop cuts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from fapilog import Documents, LogBatch
from fapilog.exporters.http import Body
from fapilog_exporter_splunk.settings import SplunkHecSettings

_METADATA = ("host", "source", "sourcetype", "index")


class Content(Protocol):
    """Encoded events in order: `Documents`, or `Lines`."""

    def __len__(self) -> int:
        """How many there are."""

    def part(self, start: int, end: int) -> Body:
        """Return the events from `start` to before `end`."""

    def fitting(self, start: int, end: int, max_bytes: int, max_documents: int) -> int:
        """Return where a request that begins with `start` ends: by the limits, one event at least."""

    def larger_than(self, max_bytes: int) -> list[int]:
        """Return the events that have more bytes."""


class Events:
    """Events in order; number i goes to the endpoint with the query `target(i)`.

    Args:
        content: All of them.
        targets: Queries, where events have any.
    """

    def __init__(self, content: Content, targets: Sequence[str] = ()) -> None:
        self._content = content
        self._targets = targets
        self._changed: dict[int, bytes] = {}
        self._tried: set[tuple[int, str]] = set()

    def __len__(self) -> int:
        return len(self._content)

    def oversized(self, limit: int) -> list[int]:
        """Return the events that are larger."""
        return self._content.larger_than(limit)

    def target(self, number: int) -> str:
        """Return the query of the request that the event goes with; empty: none."""
        return self._targets[number] if self._targets else ""

    def size(self, number: int) -> int:
        """Return the bytes of an event."""
        return len(self._event(number))

    def body(self, start: int, end: int) -> Body:
        """Return the body of a request with the events from `start` to before `end`."""
        if not any(start <= number < end for number in self._changed):
            return self._content.part(start, end)
        return b"".join(bytes(self._event(number)) for number in range(start, end))

    def fitting(self, start: int, end: int, max_bytes: int, max_events: int) -> int:
        """Return where a request that begins with `start` ends: by limits and target, one event at least."""
        if not (self._changed or self._targets):
            return self._content.fitting(start, end, max_bytes, max_events)
        last = min(end, start + max_events)
        size, target = self.size(start), self.target(start)
        for number in range(start + 1, last):
            size += self.size(number)
            if size > max_bytes or self.target(number) != target:
                return number
        return last

    def flatten(self, number: int) -> bool:
        """Make the fields of an event as flat as can be, once; False: that was tried."""
        return self._change(number, "flatten")

    def without_index(self, number: int) -> bool:
        """Let an event go to the token's default index, once; False: that was tried."""
        return self._change(number, "without_index")

    def _event(self, number: int) -> Body:
        changed = self._changed.get(number)
        return changed if changed is not None else self._content.part(number, number + 1)

    def _change(self, number: int, how: str) -> bool:
        if (number, how) in self._tried:
            return False
        self._tried.add((number, how))
        try:
            event = json.loads(bytes(self._event(number)))
        except (ValueError, RecursionError):
            return False
        if how == "flatten":
            event["fields"] = {
                key: _flat(value) for key, value in event.get("fields", {}).items() if value is not None
            }
        elif event.pop("index", None) is None:
            return False
        self._changed[number] = _json(event) + b"\n"
        return True


def _flat(value: Any) -> Any:
    """A field's value as no collector refuses it: a text, a number, a truth value, or texts."""
    if isinstance(value, dict):
        return _json(value).decode()
    if isinstance(value, list):
        return value if all(isinstance(each, str) for each in value) else _json(value).decode()
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


class Lines:
    """Events that are bytes each; what `Documents` is to those that the native encoder wrote.

    Args:
        lines: The events.
    """

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def part(self, start: int, end: int) -> bytes:
        """Return the lines from `start` to before `end`."""
        return b"".join(self._lines[start:end])

    def fitting(self, start: int, end: int, max_bytes: int, max_documents: int) -> int:
        """Return where a request that begins with `start` ends."""
        size = 0
        for number in range(start, min(end, start + max_documents)):
            size += len(self._lines[number])
            if size > max_bytes and number > start:
                return number
        return min(end, start + max_documents)

    def larger_than(self, max_bytes: int) -> list[int]:
        """Return the lines that have more bytes."""
        return [number for number, line in enumerate(self._lines) if len(line) > max_bytes]


def encode(batch: LogBatch, settings: SplunkHecSettings) -> Events:
    """Encode a batch for the endpoint of the settings."""
    documents = batch.documents("hec", **_options(settings))
    return Events(documents) if settings.endpoint == "event" else _raw(documents)


class _Line(NamedTuple):
    text: bytes
    target: str


def _raw(documents: Documents) -> Events:
    """Bodies as lines; what an event says about itself besides, the query says for all lines of a request."""
    content = documents.bytes
    lines = [_line(json.loads(content[start:end])) for start, end in pairwise(documents.offsets)]
    return Events(Lines([line.text for line in lines]), [line.target for line in lines])


def _line(event: Mapping[str, Any]) -> _Line:
    said = event["event"]
    # One record is one line: a line break in it would begin another event.
    text = "\\n".join(said.splitlines()) if isinstance(said, str) else _json(said).decode()
    query = urlencode([(key, event[key]) for key in _METADATA if event.get(key)])
    return _Line(text.encode("utf-8", "replace") + b"\n", query)


def _options(settings: SplunkHecSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": settings.host,
        "source": settings.source,
        "sourcetype": settings.sourcetype,
        "index": settings.index,
        "host_key": settings.host_attribute,
        "source_key": settings.source_attribute,
        "sourcetype_key": settings.sourcetype_attribute,
        "index_key": settings.index_attribute,
        "event_form": settings.event_form if settings.endpoint == "event" else "body",
        "fields": list(settings.fields) if settings.fields is not None else None,
    }
    return {name: value for name, value in options.items() if value is not None}
