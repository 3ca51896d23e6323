"""Stage 1 of 7, emit: records of the standard library's `logging`. Thread: caller.

One handler on the root logger, and on the loggers of servers that do not propagate. It reads a record and
changes nothing in it, so other handlers see what they saw before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from fapilog import _native
from fapilog.diagnostics import say
from fapilog.exceptions import recorded
from fapilog.severity import Severity
from fapilog.values import valid_text

# Loggers of servers that set `propagate = False`, so that a handler on root never sees them.
_NOT_PROPAGATING = ("uvicorn", "uvicorn.access", "gunicorn.error", "gunicorn.access")
# What delivers records must not make new ones.
_OURS = ("fapilog", "opentelemetry.exporter", "opentelemetry.sdk")
_BELOW_OURS = tuple(f"{name}." for name in _OURS)
# Nanoseconds since 1970 have 64 bits.
_LATEST_SECONDS = 2**64 // 10**9
# uvicorn repeats its message with escape sequences in `color_message`, for its own formatter.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class FapilogHandler(logging.Handler):
    """Passes records of `logging` to a pipeline. Never raises.

    Mapping: logger name → scope, `created` → time in whole microseconds, level → severity
    (`Severity.from_stdlib`), `getMessage()` → body, `extra` → attributes, `exc_info` → `exception.*`,
    `stack_info` → `code.stacktrace`.

    Args:
        handle: Where records go.
        level: Records below are ignored. Default: all.
    """

    def __init__(self, handle: _native.PipelineHandle, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._handle = handle
        self._loggers: dict[str, _native.Logger] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on. A field that cannot be used gets its default, and the record is kept."""
        try:
            self._pass_on(record)
        except Exception:
            # Raised while the record was read, so nothing was emitted yet.
            try:
                self._pass_on(_corrected(record))
            except Exception as error:
                say("stdlib-record-lost", f"a record of logging could not be read: {type(error).__name__}")

    def _pass_on(self, record: logging.LogRecord) -> None:
        if record.name in _OURS or record.name.startswith(_BELOW_OURS):
            return
        if record.name == "asyncio" and recorded.get():
            return
        number = Severity.from_stdlib(record.levelno)
        logger = self._loggers.get(record.name)
        if logger is None:
            logger = self._loggers[record.name] = _native.Logger(self._handle, record.name)
        if not logger.is_enabled_for(number):
            # The native gate counts it; nothing is formatted for it. The template is passed on, because
            # the level or the pressure may have changed since it was asked.
            logger.emit_record(body=record.msg, severity_number=number)
            return
        body, attributes = _read(record)
        logger.emit_record(
            body=body,
            severity_number=number,
            severity_text=Severity(number).text,
            time_unix_nano=round(record.created * 1e6) * 1_000,
            attributes=attributes,
            exception=record.exc_info[1] if record.exc_info else None,
        )


def install(handle: _native.PipelineHandle, *, capture_warnings: bool = False) -> Callable[[], None]:
    """Put a handler on the root logger and on known loggers that do not propagate.

    When nobody has configured `logging` yet, the root level is lowered to INFO: its default, WARNING, would
    keep every INFO record from us.

    Args:
        handle: Where records go.
        capture_warnings: Also let `warnings` speak through `logging`.

    Returns:
        A function that removes the handlers and puts the level back.
    """
    handler = FapilogHandler(handle)
    root = logging.getLogger()
    previous_level = root.level
    untouched = not root.handlers and root.level == logging.WARNING
    if untouched:
        root.setLevel(logging.INFO)
    targets = [root, *(logging.getLogger(name) for name in _NOT_PROPAGATING)]
    for logger in targets:
        if logger is root or not logger.propagate:
            logger.addHandler(handler)
    if capture_warnings:
        logging.captureWarnings(True)

    def remove() -> None:
        for logger in targets:
            logger.removeHandler(handler)
        if untouched and root.level == logging.INFO:
            root.setLevel(previous_level)
        if capture_warnings:
            logging.captureWarnings(False)

    return remove


def _corrected(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of a record whose name, level, time or exception cannot be used as they are."""
    level, created, exc_info = record.levelno, record.created, record.exc_info
    known_time = isinstance(created, (int, float)) and 0 <= created < _LATEST_SECONDS
    fields = {
        "name": valid_text(record.name),
        "levelno": level if type(level) is int and level >= 0 else logging.INFO,
        "created": created if known_time else time.time(),
        "exc_info": exc_info if isinstance(exc_info, tuple) and len(exc_info) == 3 else None,
    }
    return logging.makeLogRecord({**vars(record), **fields})


def _read(record: logging.LogRecord) -> tuple[Any, dict[str, Any]]:
    """Body and attributes; a message that cannot be formatted keeps its template and its arguments."""
    attributes = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if record.stack_info:
        attributes["code.stacktrace"] = record.stack_info
    if not record.args:
        return record.msg, attributes
    try:
        return record.getMessage(), attributes
    except Exception:
        attributes["fapilog.format_arguments"] = record.args
        return record.msg, attributes
