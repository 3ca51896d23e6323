"""Stage 1 of 7, emit: a record of `logging` that holds something odd, field by field. Thread: caller.

The native path (`native/src/python/stdlib_capture.rs`) leaves these to us: a level that is no number, a time
before 1970, arguments of a type of their own, a formatter, an event of structlog, a warning. Nothing changes
the record.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from fapilog.bridges import shared, shown_warnings, structlog
from fapilog.severity import Severity
from fapilog.values import valid_text

# Nanoseconds since 1970 have 64 bits.
_LATEST_SECONDS = 2**64 // 10**9
# What others put into a record for formatters of their own.
_ADDED = ("message", "asctime", "taskName", "getMessage", "color_message")
_CORRELATION = ("otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName")
# Texts of a record and the attributes that they become.
_TEXTS = {"stack_info": "code.stacktrace", "exc_text": "exception.stacktrace"}
_NO_ATTRIBUTES = frozenset((*vars(logging.makeLogRecord({})), *_ADDED, *_CORRELATION, *shared.EVENT_NAMES))


def cheap_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what can be had without reading values, in the fields of `Logger.emit_record`.

    Raises:
        Exception: Whatever a field raises that cannot be used; see `corrected`.
    """
    return {
        "severity_number": int(Severity.from_stdlib(record.levelno)),
        "level_name": valid_text(record.levelname),
        "time_unix_nano": round(record.created * 1e6) * 1_000,
        "location": partial(_location, record, _warned(record)),
        "thread": (record.thread, record.threadName),
        "template": record.msg if shared.is_true(record.args) else None,
    }


def costly_fields(
    record: logging.LogRecord, text: Callable[[logging.LogRecord], str] | None
) -> dict[str, Any]:
    """Return the rest. A message that cannot be formatted keeps its template and its arguments.

    Args:
        record: The record.
        text: What formats the record, when the handler has a formatter.
    """
    attributes: dict[str, Any] = {}
    try:
        body = _body(record) if text is None else text(record)
    except Exception:
        body, attributes = record.msg, {"fapilog.format_arguments": record.args}
    values = vars(record)  # after the formatter, which may add attributes
    attributes |= {key: value for key, value in values.items() if key not in _NO_ATTRIBUTES}
    warned = _warned(record)
    if warned is not None:
        attributes.setdefault(shown_warnings.CATEGORY, warned.category)
    exception = _exception(values.get("exc_info"))
    for key, name in _TEXTS.items():
        if shared.is_given(values.get(key)) and not (key == "exc_text" and exception is not None):
            attributes.setdefault(name, values[key])
    if isinstance(body, dict) and "_logger" in values:
        return _of_structlog(body, record, attributes)
    return {
        "body": body,
        "attributes": attributes,
        "exception": exception,
        "event_name": shared.event_name(values),
    }


def corrected(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy with defaults for a name, level or time that cannot be used as they are."""
    level, created = record.levelno, record.created
    known_time = isinstance(created, (int, float)) and 0 <= created < _LATEST_SECONDS
    fields = {
        "name": valid_text(record.name),
        "levelno": level if type(level) is int and level >= 0 else logging.INFO,
        "created": created if known_time else time.time(),
    }
    return logging.makeLogRecord({**vars(record), **fields})


def _of_structlog(
    event: dict[str, Any], record: logging.LogRecord, attributes: dict[str, Any]
) -> dict[str, Any]:
    """The event that `ProcessorFormatter.wrap_for_formatter` made the message of a record."""
    others = {key: value for key, value in attributes.items() if key not in ("_logger", "_name")}
    fields = structlog.record_fields(event, record.levelname, others)
    return {name: fields[name] for name in ("body", "attributes", "exception", "event_name")}


def _body(record: logging.LogRecord) -> Any:
    stock = type(record).getMessage is logging.LogRecord.getMessage
    return record.msg if stock and not shared.is_true(record.args) else record.getMessage()


def _exception(info: Any) -> BaseException | None:
    raised = info[1] if isinstance(info, tuple) and len(info) == 3 else None
    return raised if isinstance(raised, BaseException) else None


def _warned(record: logging.LogRecord) -> shown_warnings.Warned | None:
    """The warning that this record is about, if `logging` made it for one."""
    return shown_warnings.shown_now() if record.name == shown_warnings.LOGGER else None


def _location(record: logging.LogRecord, warned: shown_warnings.Warned | None) -> tuple[str, str, int] | None:
    if warned is not None and type(warned.line) is int:
        return valid_text(warned.path), "", warned.line  # which function that is, nobody knows
    path, function, line = record.pathname, record.funcName, record.lineno
    known = isinstance(path, str) and isinstance(function, str) and type(line) is int
    return (valid_text(path), valid_text(function), line) if known else None
