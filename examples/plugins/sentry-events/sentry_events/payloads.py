"""Events and logs of Sentry, made of records: pure functions. Thread: one for each batch.

Records come as the native encoder's `otel` documents. Their ids are `log.record.uid` where a record has it,
else a digest of the record: an event that comes again has the same id, and Sentry keeps the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fapilog import LogBatch

from sentry_events.settings import SentrySettings
from sentry_events.tracebacks import described, exceptions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVELS = ((21, "fatal"), (17, "error"), (13, "warning"), (9, "info"), (0, "debug"))
_LOG_LEVELS = ((21, "fatal"), (17, "error"), (13, "warn"), (9, "info"), (5, "debug"), (0, "trace"))
_EXCEPTION = ("exception.type", "exception.message", "exception.stacktrace")
_USER = {"user.id": "id", "user.email": "email", "user.name": "username"}
# What logs call where they come from, as Sentry's own SDK does.
_LOG_NAMES = {
    "release": "sentry.release",
    "environment": "sentry.environment",
    "server_name": "server.address",
}
# Limits of Sentry: longer texts are cut there without a word.
_TAG_LENGTH, _MESSAGE_LENGTH = 200, 8_192


class Record(NamedTuple):
    """One record of a batch.

    Attributes:
        uid: What tells it from others.
        document: As the encoder writes it.
    """

    uid: str
    document: dict[str, Any]

    @property
    def severity(self) -> int:
        """Its severity number; 0: it has none."""
        return int(self.document.get("severity_number", 0))

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes."""
        found: dict[str, Any] = self.document.get("attributes", {})
        return found

    @property
    def resource(self) -> dict[str, Any]:
        """The attributes of its resource."""
        found: dict[str, Any] = self.document.get("resource", {}).get("attributes", {})
        return found

    @property
    def logger(self) -> str:
        """The name of its scope."""
        return str(self.document.get("scope", {}).get("name", ""))

    @property
    def body(self) -> str:
        """Its body, where that is a text; else its JSON."""
        return "".join(_text(value) for value in self.document.get("body", {}).values())

    @property
    def seconds(self) -> float:
        """Unix seconds, to the microsecond."""
        moment = datetime.fromisoformat(f"{self.document['@timestamp'][:26]}+00:00")
        return (moment - _EPOCH).total_seconds()


def records_of(batch: LogBatch) -> list[Record]:
    """Return the records of a batch."""
    made = batch.documents("otel", bulk=True, time="iso", index="-", require_data_stream=False)
    lines = made.bytes.splitlines()
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return [Record(json.loads(action)["create"]["_id"], json.loads(line)) for action, line in pairs]


def event_id(record: Record) -> str:
    """Return the id of an event: 32 hexadecimal digits."""
    return hashlib.sha256(record.uid.encode()).hexdigest()[:32]


def event(record: Record, settings: SentrySettings) -> dict[str, Any]:
    """Return the event of a record.

    Example:
        >>> from fapilog.testing.samples import sample_batch
        >>> settings = SentrySettings(dsn="https://public@sentry.example/42")
        >>> made = event(records_of(sample_batch(3))[0], settings)
        >>> made["level"], made["logger"], made["extra"]["left"]
        ('warning', 'orders', 3)
    """
    attributes = record.attributes
    found: dict[str, Any] = {
        "event_id": event_id(record),
        "timestamp": record.seconds,
        "platform": "python",
        "level": _word(_LEVELS, record.severity),
        "logger": record.logger,
        **_origin(record, settings),
        "logentry": {"formatted": record.body[:_MESSAGE_LENGTH]},
        "tags": _tags(record),
        "contexts": {"resource": record.resource, **_trace(record)},
        "extra": {key: value for key, value in attributes.items() if key not in _EXCEPTION},
    }
    if values := _values(attributes):
        found["exception"] = {"values": values}
        if not any("stacktrace" in value for value in values) and "exception.stacktrace" in attributes:
            found["extra"]["exception.stacktrace"] = attributes["exception.stacktrace"]
    if fingerprint := _fingerprint(record, settings):
        found["fingerprint"] = fingerprint
    if user := {name: attributes[key] for key, name in _USER.items() if key in attributes}:
        found["user"] = user
    return found


def log(record: Record, settings: SentrySettings, trace_id: str) -> dict[str, Any]:
    """Return the log of a record.

    Args:
        record: The record.
        settings: Of the exporter.
        trace_id: For one outside of any trace: Sentry takes no log without.
    """
    document = record.document
    names = {
        **record.resource,
        **record.attributes,
        "logger.name": record.logger,
        "event.name": document.get("event_name", ""),
        **{_LOG_NAMES[key]: value for key, value in _origin(record, settings).items()},
    }
    found = {
        "timestamp": record.seconds,
        "trace_id": document.get("trace_id") or trace_id,
        "level": _word(_LOG_LEVELS, record.severity),
        "severity_number": max(1, record.severity),
        "body": record.body,
        "attributes": {key: _typed(value) for key, value in names.items() if value not in ("", None)},
    }
    return found | ({"span_id": document["span_id"]} if document.get("span_id") else {})


def _origin(record: Record, settings: SentrySettings) -> dict[str, str]:
    resource = record.resource
    environments = (resource.get(f"deployment.environment{end}") for end in (".name", ""))
    found = {
        "release": settings.release or resource.get("service.version"),
        "environment": settings.environment or next((each for each in environments if each), None),
        "server_name": resource.get("host.name"),
    }
    return {key: str(value) for key, value in found.items() if value}


def _tags(record: Record) -> dict[str, str]:
    """What people filter issues by: short and few. Everything else is in `extra`."""
    names = {
        "service.name": record.resource.get("service.name"),
        "event.name": record.document.get("event_name"),
        "http.route": record.attributes.get("http.route"),
        "fapilog.correlation_id": record.attributes.get("fapilog.correlation_id"),
    }
    return {key: str(value)[:_TAG_LENGTH] for key, value in names.items() if value}


def _trace(record: Record) -> dict[str, Any]:
    ids = {name: record.document.get(name) for name in ("trace_id", "span_id")}
    return {"trace": ids} if all(ids.values()) else {}


def _values(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The exceptions of a record, oldest first; frames where its stack trace is one of Python's."""
    if "exception.type" not in attributes:
        return []
    kind, message = (str(attributes.get(name, "")) for name in _EXCEPTION[:2])
    found = exceptions(str(attributes.get("exception.stacktrace", "")))
    last = described(kind, message)
    return [*found[:-1], found[-1] | last] if found else [last]


def _fingerprint(record: Record, settings: SentrySettings) -> list[str]:
    """What an event is grouped by; empty: Sentry decides, by the stack trace or the message."""
    said = record.attributes.get(settings.fingerprint_attribute)
    if said:
        return [str(each) for each in said] if isinstance(said, list) else [str(said)]
    name = record.document.get("event_name")
    return [record.logger, name] if name and "exception.type" not in record.attributes else []


def _typed(value: object) -> dict[str, Any]:
    """A value as the attributes of logs hold it."""
    kinds: tuple[tuple[type, str], ...] = ((bool, "boolean"), (int, "integer"), (float, "double"))
    for kind, name in kinds:
        if isinstance(value, kind):
            return {"value": value, "type": name}
    return {"value": _text(value), "type": "string"}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _word(words: tuple[tuple[int, str], ...], severity: int) -> str:
    return next(word for lowest, word in words if severity >= lowest)
