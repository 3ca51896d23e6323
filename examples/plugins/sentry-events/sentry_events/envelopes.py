"""Envelopes: what one request holds. An event has one for itself, as Sentry demands; logs share one.

Thread: one for each batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sentry_events import payloads
from sentry_events.payloads import Record
from sentry_events.settings import SentrySettings

SDK = {"name": "fapilog.sentry-events", "version": "0.1.0"}
_LOG_TYPE = "application/vnd.sentry.items.log+json"
# What rate limits call them.
Category = Literal["error", "log_item"]


@dataclass(frozen=True)
class Envelope:
    """One request.

    Attributes:
        category: Of its items.
        items: An event, or logs.
    """

    category: Category
    items: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        """How many records it holds."""
        return len(self.items)

    def halves(self) -> tuple[Envelope, ...]:
        """Return it in two parts; as it is, if it holds one record."""
        if len(self) == 1:
            return (self,)
        middle = len(self) // 2
        return Envelope(self.category, self.items[:middle]), Envelope(self.category, self.items[middle:])

    def content(self, now: float) -> bytes:
        """Return the body of the request, sent at this time (Unix seconds).

        Example:
            >>> print(Envelope("error", ({"event_id": "0" * 32},)).content(0.0).decode().splitlines()[1])
            {"type":"event","length":47,"content_type":"application/json"}
        """
        sent_at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head: dict[str, Any] = {"sent_at": sent_at, "sdk": SDK}
        if self.category == "error":
            [event] = self.items
            payload = _json(event)
            head = {"event_id": event["event_id"], **head}
            item = {"type": "event", "length": len(payload), "content_type": "application/json"}
        else:
            payload = _json({"items": self.items})
            item = {
                "type": "log",
                "item_count": len(self),
                "length": len(payload),
                "content_type": _LOG_TYPE,
            }
        return b"\n".join((_json(head), _json(item), payload, b""))


def envelopes(records: list[Record], settings: SentrySettings, trace_id: str) -> Iterator[Envelope]:
    """Yield the envelopes of a batch, events first."""
    logs: list[dict[str, Any]] = []
    for record in records:
        if record.severity >= settings.lowest_event_severity:
            yield Envelope("error", (payloads.event(record, settings),))
        else:
            logs.append(payloads.log(record, settings, trace_id))
    for start in range(0, len(logs), settings.max_log_items):
        yield Envelope("log_item", tuple(logs[start : start + settings.max_log_items]))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
