"""Stage 1 of 7, emit: records of loguru. Thread: caller.

loguru is imported by `install` when it is not given a logger: without it this module costs nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from fapilog import _native
from fapilog.backpressure import held
from fapilog.bridges.passing_on import was_intercepted
from fapilog.bridges.shared import EVENT_NAMES, Loggers, event_name
from fapilog.diagnostics import say
from fapilog.errors import MissingDependencyError
from fapilog.logger import unix_nanos
from fapilog.severity import Severity
from fapilog.values import valid_text


class Sink:
    """A sink of loguru that sends records to a pipeline. Never raises.

    It reads the record that loguru attaches to the message, so format, colours and `serialize` do not matter.
    A record of `logging` that an `InterceptHandler` passes on is left out where the bridge for `logging` took
    it.
    loguru calls a sink under a lock that all threads need, event loops too. So under `overflow="wait"` a
    record without room waits in the queue, and its thread does not.
    Mapping: docs/reference/bridges.md.

    Args:
        handle: Where records go. Default: the pipeline of the process.
    """

    def __init__(self, handle: _native.PipelineHandle | None = None) -> None:
        self._loggers = Loggers(handle)

    def __call__(self, message: Any) -> None:
        """Send one record."""
        try:
            record = message.record
            if was_intercepted(self._loggers.handle, record["message"]):
                return
            outer, held.lock = held.lock, True
            try:
                self._loggers[record["name"]].emit_record(**_fields(record))
            finally:
                held.lock = outer
        except Exception as error:
            say("loguru-record-lost", f"a record of loguru could not be read: {type(error).__name__}")


# For `logger.add(sink)`; `install` spares loguru the work of formatting what nobody reads.
sink = Sink()


def install(
    logger: Any = None, *, handle: _native.PipelineHandle | None = None, level: int | str = 0
) -> Callable[[], None]:
    """Add a sink to loguru, beside those it has.

    loguru formats no text for it, describes no values of variables, and catches nothing: what must reach the
    application (KeyboardInterrupt) does.

    Args:
        logger: Default: `loguru.logger`.
        handle: Where records go. Default: the pipeline of the process.
        level: Records below never reach the sink. Default: all.

    Returns:
        A function that removes the sink.

    Raises:
        MissingDependencyError: `dependency-missing`, if loguru is not installed.

    Example:
        >>> remove = install()
        >>> remove()
    """
    if logger is None:
        try:
            logger = importlib.import_module("loguru").logger
        except ImportError as error:
            raise MissingDependencyError("loguru", "fapilog.bridges.loguru") from error
    plain = {"format": _no_text, "catch": False, "backtrace": False, "diagnose": False, "colorize": False}
    identifier = logger.add(Sink(handle), level=level, **plain)

    def remove() -> None:
        try:
            logger.remove(identifier)
        except ValueError:
            # `logger.remove()` or `logger.configure()` took it away.
            return

    return remove


def _no_text(_record: Any) -> str:
    return ""


def _fields(record: Any) -> dict[str, Any]:
    """A record in the fields of `Logger.emit_record`."""
    extra, exception, thread = record["extra"], record["exception"], record["thread"]
    return {
        "body": record["message"],
        "severity_number": int(Severity.from_stdlib(record["level"].no)),
        "level_name": valid_text(record["level"].name),
        "time_unix_nano": unix_nanos(record["time"]),
        "attributes": {key: value for key, value in extra.items() if key not in EVENT_NAMES},
        "event_name": event_name(extra),
        "exception": exception.value if exception is not None else None,
        "location": partial(_location, record),
        "thread": (thread.id, thread.name),
    }


def _location(record: Any) -> tuple[str, str, int]:
    function = f"{record['name']}.{record['function']}" if record["name"] else record["function"]
    return valid_text(record["file"].path), valid_text(function), record["line"]
