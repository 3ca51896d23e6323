"""Stage 1 of 7, emit: events of structlog. Thread: caller.

structlog itself is imported when a processor is made: without it this module costs nothing.
"""

from __future__ import annotations

import datetime
import importlib
import logging
import sys
from collections.abc import Mapping, MutableMapping
from types import FrameType
from typing import Any

from fapilog import _native
from fapilog.bridges.passing_on import event_goes_on
from fapilog.bridges.shared import EVENT_NAMES, Loggers, event_name, is_true
from fapilog.diagnostics import say
from fapilog.errors import MissingDependencyError
from fapilog.logger import unix_nanos
from fapilog.severity import LEVEL_NAMES, Severity
from fapilog.values import valid_text

# What processors of structlog put into the event for those after them.
_NO_ATTRIBUTES = frozenset(
    {
        *("event", "level", "level_number", "logger", "timestamp", "exc_info", "stack", "stack_info"),
        *("exception", "_record", "_from_structlog", "_logger", "_name", *EVENT_NAMES),
    }
)
# Keys of `CallsiteParameterAdder`, renamed when they are all there.
_CALLSITE = {
    "pathname": "code.file.path",
    "lineno": "code.line.number",
    "func_name": "code.function.name",
}
_NOT_THE_CALLER = ("structlog", "fapilog.bridges")


class FapilogProcessor:
    """A processor of structlog that sends events to a pipeline. Never raises anything but `DropEvent`.

    As the last processor it ends the event, as a renderer would. In the middle, with `pass_through=True`, it
    leaves the event unchanged for those after it; when it then goes to `logging`, the bridge for that leaves
    it out. What `structlog.contextvars` bound is added in both places.

    Mapping: docs/reference/bridges.md.

    Args:
        handle: Where records go. Default: the pipeline of the process.
        pass_through: Let the event go on.

    Raises:
        MissingDependencyError: `dependency-missing`, if structlog is not installed.

    Example:
        >>> import structlog
        >>> structlog.configure(processors=[structlog.processors.add_log_level, FapilogProcessor()])
        >>> structlog.reset_defaults()
    """

    def __init__(self, handle: _native.PipelineHandle | None = None, *, pass_through: bool = False) -> None:
        try:
            structlog = importlib.import_module("structlog")
        except ImportError as error:
            raise MissingDependencyError("structlog", "fapilog.bridges.structlog") from error
        self._dropped = structlog.DropEvent
        self._context_variables = structlog.contextvars.get_contextvars
        self._loggers = Loggers(handle)
        self._pass_through = pass_through

    def __call__(
        self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Send one event."""
        try:
            fields = record_fields(event_dict, method_name, self._context_variables())
            name = event_dict.get("logger", getattr(logger, "name", None))
            self._loggers[name if isinstance(name, str) else "structlog"].emit_record(**fields)
            if self._pass_through:
                event_goes_on(self._loggers.handle, logger)
        except Exception as error:
            say("structlog-record-lost", f"an event of structlog could not be read: {type(error).__name__}")
        if self._pass_through:
            return event_dict
        raise self._dropped


def record_fields(
    event: Mapping[str, Any], method_name: str, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an event in the fields of `Logger.emit_record`.

    Args:
        event: The event dict.
        method_name: What the application called, such as `info`.
        context: Further attributes, which those of the event replace.
    """
    attributes = {key: value for key, value in event.items() if key not in _NO_ATTRIBUTES}
    if attributes.keys() >= _CALLSITE.keys():
        attributes = {_CALLSITE.get(key, key): value for key, value in attributes.items()}
    exc_info = event.get("exc_info") if is_true(event.get("exc_info")) else None
    if exc_info is None and "exception" in event:
        rendered = event["exception"]
        attributes["exception.stacktrace" if isinstance(rendered, str) else "exception"] = rendered
    if "stack" in event:
        attributes["code.stacktrace"] = event["stack"]
    time = _unix_nanos(event.get("timestamp"))
    if time is None and "timestamp" in event:
        attributes["timestamp"] = event["timestamp"]
    for key, value in (context or {}).items():
        attributes.setdefault(key, value)
    number, level_name = _level(event, method_name)
    return {
        "body": event.get("event"),
        "severity_number": number,
        "level_name": level_name,
        "time_unix_nano": time,
        "attributes": attributes,
        "event_name": event_name(event),
        "exception": exc_info,
        "location": None if "code.line.number" in attributes else _caller,
    }


def _level(event: Mapping[str, Any], method_name: str) -> tuple[int, str]:
    name = event.get("level")
    name = name if isinstance(name, str) and name else str(method_name)
    number = LEVEL_NAMES.get(name.strip().lower())
    if number is None and isinstance(event.get("level_number"), int):
        number = Severity.from_stdlib(event["level_number"])
    return int(Severity.INFO if number is None else number), valid_text(name)


def _unix_nanos(value: Any) -> int | None:
    """`TimeStamper` writes float seconds or ISO 8601; in another format it stays an attribute."""
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, (float, datetime.datetime)):
        return None
    nanos = unix_nanos(value)
    return nanos if nanos is not None and 0 <= nanos < 2**64 else None


def _caller() -> tuple[str, str, int] | None:
    """Where the application called structlog."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(_NOT_THE_CALLER) and module != logging.__name__:
            return frame.f_code.co_filename, f"{module}.{frame.f_code.co_qualname}", frame.f_lineno
        frame = frame.f_back
    return None
