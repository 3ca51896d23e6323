"""Stage 1 of 7, emit: `LogEvent`, a whole record as one validated value. Thread: caller.

A `LogEvent` is for code that builds its records as data. `to_record()` maps it to the OpenTelemetry logs data
model; `Logger.emit` takes it from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from fapilog.category import EventCategory
from fapilog.severity import Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UINT64_LIMIT = 2**64

# Context keys that have a name in the semantic conventions (1.44). The value keeps its type; every other key
# keeps its name. `docs/reference/events.md` is generated from this table.
CONTEXT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "user_id": "user.id",
        "user_name": "user.name",
        "user_email": "user.email",
        "user_roles": "user.roles",
        "session_id": "session.id",
        "client_ip": "client.address",
        "client_address": "client.address",
        "client_port": "client.port",
        "server_address": "server.address",
        "server_port": "server.port",
        "user_agent": "user_agent.original",
        "method": "http.request.method",
        "http_method": "http.request.method",
        "route": "http.route",
        "status_code": "http.response.status_code",
        "request_size": "http.request.body.size",
        "response_size": "http.response.body.size",
        "url": "url.full",
        "path": "url.path",
        "query": "url.query",
        "scheme": "url.scheme",
        "error_type": "error.type",
        "exception_type": "exception.type",
        "exception_message": "exception.message",
        "stacktrace": "exception.stacktrace",
        "thread_id": "thread.id",
        "thread_name": "thread.name",
    }
)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A `LogEvent` in the terms of the OpenTelemetry logs data model.

    `time_unix_nano`, `scope_name` and `event_name` are None where the event leaves them to the logger.
    """

    severity_number: int
    severity_text: str
    body: str
    time_unix_nano: int | None
    scope_name: str | None
    event_name: str | None
    attributes: dict[str, Any]


def _level_text(value: object) -> object:
    return value.text if isinstance(value, Severity) else value


def _known_level(value: str) -> str:
    Severity.from_level_name(value)
    return value


def _nanoseconds(moment: datetime) -> int:
    # Whole microseconds, not float seconds: a float has no room for today's nanoseconds.
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _unambiguous(value: object) -> object:
    # pydantic would take a float or a text of digits as seconds, where an integer means nanoseconds.
    number = isinstance(value, (float, bool)) or (isinstance(value, str) and value.strip()[4:5] != "-")
    if number:
        raise ValueError("a timestamp is an aware datetime, an ISO 8601 text or whole nanoseconds")
    return value


def _not_before_1970(value: datetime | int) -> datetime | int:
    if isinstance(value, datetime) and value < _EPOCH:
        raise ValueError("a timestamp before 1970 has no OTLP representation")
    return value


Level = Annotated[str, BeforeValidator(_level_text), AfterValidator(_known_level)]
UnixNano = Annotated[int, Field(strict=True, ge=0, lt=_UINT64_LIMIT)]
Timestamp = Annotated[
    UnixNano | AwareDatetime, BeforeValidator(_unambiguous), AfterValidator(_not_before_1970)
]


class LogEvent(BaseModel):
    """One event as a frozen, validated value.

    Example:
        >>> event = LogEvent(message="order placed", level="info", context={"user_id": 7}, tags={"shop": "b"})
        >>> event.to_record().attributes
        {'user.id': 7, 'fapilog.tag.shop': 'b'}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str = Field(description="Body of the record.")
    level: Level | None = Field(
        None, description="Level name or `Severity`; default: derived from `severity`, else INFO."
    )
    timestamp: Timestamp | None = Field(
        None, description="When it happened: an aware datetime, or nanoseconds since 1970; default: now."
    )
    source: str | None = Field(
        None, description="Instrumentation scope; default: the name of the logger that emits it."
    )
    category: EventCategory | None = Field(None, description="What the event is about.")
    severity: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=10,
        description="Importance from 1 to 10; independent of `level` when both are given.",
    )
    tags: dict[str, str] = Field(default_factory=dict, description="Labels, exported as `fapilog.tag.<key>`.")
    context: dict[str, Any] = Field(
        default_factory=dict, description="Attributes; keys of the table get their semantic-convention name."
    )
    metrics: dict[str, float] = Field(
        default_factory=dict, description="Numbers, exported as doubles under `fapilog.metric.<key>`."
    )
    correlation_id: str | None = Field(None, description="Exported as `fapilog.correlation_id`.")
    event_name: str | None = Field(None, description="OTel EventName: makes the record an Event.")

    @property
    def severity_number(self) -> Severity:
        """The OTel severity: from `level`, else from `severity`, else INFO."""
        if self.level is not None:
            return Severity.from_level_name(self.level)
        return Severity.INFO if self.severity is None else Severity.from_ten(self.severity)

    def to_record(self) -> EventRecord:
        """Map to the OpenTelemetry logs data model.

        `severity_text` is the level as it was written (the data model wants the source's own word), or the
        short name of the number when no level was given. Fields of the event win over context keys of the
        same name.
        """
        number = self.severity_number
        return EventRecord(
            severity_number=int(number),
            severity_text=self.level if self.level is not None else number.text,
            body=self.message,
            time_unix_nano=(
                _nanoseconds(self.timestamp) if isinstance(self.timestamp, datetime) else self.timestamp
            ),
            scope_name=self.source,
            event_name=self.event_name,
            attributes=self._attributes(),
        )

    def _attributes(self) -> dict[str, Any]:
        attributes = _semantic_names(self.context)
        attributes |= {f"fapilog.tag.{key}": value for key, value in self.tags.items()}
        attributes |= {f"fapilog.metric.{key}": value for key, value in self.metrics.items()}
        if self.severity is not None:
            attributes["fapilog.event.severity"] = self.severity
        if self.category is not None:
            attributes["fapilog.event.category"] = self.category.value
        if self.correlation_id is not None:
            attributes["fapilog.correlation_id"] = self.correlation_id
        return attributes


def _semantic_names(context: Mapping[str, Any]) -> dict[str, Any]:
    """Rename known keys; a key whose new name is already taken keeps its own, so that nothing is lost."""
    renamed: dict[str, Any] = {}
    for key, value in context.items():
        name = CONTEXT_NAMES.get(key, key)
        taken = name != key and (name in context or name in renamed)
        renamed[key if taken else name] = value
    return renamed
