"""The messages of one batch: RFC 5424, each with its length before it (RFC 5425, 4.3).

Stage 6 of 7, export. Three elements of structured data: `otel@N` has what OpenTelemetry knows about a record,
`attributes@N` and `resource@N` what the application says. Thread: a worker encodes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from fapilog import LogBatch
from fapilog_exporter_syslog.fitting import Draft, Params, element, fit
from fapilog_exporter_syslog.priority import priority
from fapilog_exporter_syslog.settings import SyslogSettings
from fapilog_exporter_syslog.text import header_field, message_text, param_name, param_value, text_of

NIL = "-"
BOM = "\ufeff"
# RFC 5424, 6.2.4 to 6.2.7.
_HOSTNAME_CHARACTERS, _APP_NAME_CHARACTERS, _PROCID_CHARACTERS, _MSGID_CHARACTERS = 255, 48, 128, 32
_CATEGORY = "fapilog.event.category"
_SECOND_NANOS = 1_000_000_000


@dataclass
class Messages:
    """What a batch became.

    Attributes:
        frames: Messages with their lengths before them, in the order of the records.
        cut: How many of them were cut.
        too_large: Records that became none, because they were too large.
    """

    frames: list[bytes] = field(default_factory=list)
    cut: int = 0
    too_large: int = 0


@dataclass(frozen=True)
class _Origin:
    """What all records of a resource have in common: fields of the header, and its element."""

    hostname: str
    app_name: str
    procid: str
    params: Params
    rendered: str


class Encoder:
    """Writes records as messages.

    Args:
        settings: How.

    Example:
        >>> from fapilog.testing.samples import sample_batch
        >>> settings = SyslogSettings(endpoint="tls://syslog.example", attributes=(), resource_attributes=())
        >>> frame = Encoder(settings).encode(sample_batch(1)).frames[0].decode()
        >>> length, _, message = frame.partition(" ")
        >>> int(length) == len(message.encode()), message.split(" ")[0]
        (True, '<12>1')
    """

    def __init__(self, settings: SyslogSettings) -> None:
        self._settings = settings
        self._wants_attribute = _matcher(settings.attributes)
        self._wants_resource = _matcher(settings.resource_attributes)
        self._facilities = dict(entry.split("=", 1) for entry in settings.facilities)
        number = settings.enterprise_number
        self._names = f"otel@{number}", f"attributes@{number}", f"resource@{number}"

    def encode(self, batch: LogBatch) -> Messages:
        """Return the messages of a batch."""
        messages, origins = Messages(), dict[int, _Origin]()
        limit = self._settings.max_message_bytes
        for record in batch:
            origin = origins.get(id(record.resource))
            if origin is None:
                origin = origins[id(record.resource)] = self._origin(record.resource)
            draft = self._draft(record, origin)
            message = draft.assembled()
            if len(message) > limit:
                if self._settings.oversized == "drop":
                    messages.too_large += 1
                    continue
                message = fit(draft, limit)
                messages.cut += 1
            messages.frames.append(b"%d %b" % (len(message), message))
        return messages

    def _origin(self, resource: Resource) -> _Origin:
        said = resource.attributes
        settings = self._settings
        hostname = text_of(said.get("host.name") or settings.hostname or socket.gethostname())
        app_name = settings.app_name or text_of(said.get("service.name") or "")
        procid = text_of(said.get("process.pid") or said.get("service.instance.id") or "")
        params = _params(said, self._wants_resource)
        return _Origin(
            header_field(hostname, _HOSTNAME_CHARACTERS),
            header_field(app_name, _APP_NAME_CHARACTERS),
            header_field(procid, _PROCID_CHARACTERS),
            params,
            element((self._names[2], params)),
        )

    def _draft(self, readable: ReadableLogRecord, origin: _Origin) -> Draft:
        record = readable.log_record
        attributes = record.attributes or {}
        number = int(getattr(record.severity_number, "value", 0))
        facility = self._facilities.get(str(attributes.get(_CATEGORY)), self._settings.facility)
        prival = priority(facility, number, self._settings.severities)
        time = timestamp(record.timestamp or record.observed_timestamp or 0)
        msgid = header_field(record.event_name or "", _MSGID_CHARACTERS)
        otel, own, resource = self._names
        text = message_text(text_of(record.body)) if record.body is not None else ""
        return Draft(
            f"<{prival}>1 {time} {origin.hostname} {origin.app_name} {origin.procid} {msgid} ",
            [
                (otel, _known(readable, number, msgid)),
                (own, _params(attributes, self._wants_attribute)),
                (resource, origin.params),
            ],
            text,
            self._bom(text),
            origin.rendered,
        )

    def _bom(self, text: str) -> str:
        chosen = self._settings.bom
        return BOM if chosen == "always" or (chosen == "auto" and not text.isascii()) else ""


def timestamp(nanos: int) -> str:
    """Return a time in microseconds, all that RFC 5424 allows; `-` for none.

    Example:
        >>> timestamp(1_795_219_200_123_456_789), timestamp(0)
        ('2026-11-21T00:00:00.123456Z', '-')
    """
    if nanos <= 0:
        return NIL
    seconds, rest = divmod(nanos, _SECOND_NANOS)
    return f"{_second(seconds)}.{rest // 1_000:06d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _known(readable: ReadableLogRecord, number: int, msgid: str) -> Params:
    """What OpenTelemetry knows about a record, beside the header's fields."""
    record, scope = readable.log_record, readable.instrumentation_scope
    event = record.event_name or ""
    trace_id, span_id = record.trace_id or 0, record.span_id or 0
    given = (
        ("trace_id", f"{trace_id:032x}" if trace_id else ""),
        ("span_id", f"{span_id:016x}" if span_id else ""),
        ("trace_flags", f"{int(record.trace_flags or 0):02x}" if trace_id else ""),
        ("severity_number", str(number) if number else ""),
        ("severity_text", record.severity_text or ""),
        ("event_name", event if event != msgid else ""),
        ("scope_name", scope.name if scope is not None else ""),
        ("scope_version", (scope.version or "") if scope is not None else ""),
    )
    return [(name, param_value(text)) for name, text in given if text]


def _params(attributes: Mapping[str, Any], wanted: Callable[[str], bool]) -> Params:
    return [
        (param_name(key), str(value) if type(value) is int else param_value(text_of(value)))
        for key, value in attributes.items()
        if value is not None and wanted(key)
    ]


def _matcher(patterns: tuple[str, ...] | None) -> Callable[[str], bool]:
    """Tell whether a key is wanted: by its name, or by a beginning with `*` behind it."""
    if patterns is None:
        return lambda _key: True
    names = frozenset(patterns)
    beginnings = tuple(each[:-1] for each in patterns if each.endswith("*"))
    return lambda key: key in names or key.startswith(beginnings)
