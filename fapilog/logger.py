"""Stage 1 of 7, emit: where an application gets its loggers. Thread: caller.

`Logger` is native: a level method goes through stages 1 to 4 in one call, `native/src/python/logger.rs`. This
module makes loggers and connects native capture with the Python functions it asks now and then.
"""

from __future__ import annotations

import atexit
import datetime
import importlib
import os
import sys
import threading
from typing import Any

from fapilog import _native, backpressure, context, diagnostics, exceptions, values
from fapilog._native import Logger
from fapilog.severity import LEVEL_NAMES, Severity

__all__ = ["Logger", "default_handle", "export_recorded", "get_logger"]

# The process-wide pipeline; `configure_otel()` attaches it, or the first record does.
default_handle = _native.PipelineHandle(configures_itself=True)


def get_logger(name: str | None = None, /, **attributes: Any) -> Logger:
    """Return a logger whose records carry `name` as their instrumentation scope.

    Works before `configure_otel()`: the first record then configures defaults from the environment (the
    console, and OTLP when an endpoint is set). Loggers are cheap; two with the same name are equal in effect.

    Args:
        name: Usually `__name__`. Default: the name of the calling module.
        **attributes: Bound to every record, as by `Logger.bind`.

    Example:
        >>> log = get_logger("orders", tenant="acme")
        >>> log.name
        'orders'
    """
    if name is None:
        name = sys._getframe(1).f_globals.get("__name__", "")
    bound = _native.BoundAttributes(attributes) if attributes else None
    return Logger(default_handle, values.valid_text(name), bound=bound)


def export_recorded(trace_id: int | None = None) -> int:
    """Export what the flight recorder of the process kept of a trace, and its later records at once.

    For failures that no record of ERROR and no span tells of. Without `flight_recorder.enabled` it does
    nothing.

    Args:
        trace_id: Default: the trace of the current span.

    Returns:
        How many records were exported.

    Example:
        >>> export_recorded()
        0
    """
    pipeline = default_handle.pipeline
    return 0 if pipeline is None else pipeline.export_recorded(trace_id)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def unix_nanos(value: Any) -> int | None:
    """Return nanoseconds since the epoch of a datetime (naive: local time), an int (nanoseconds), a float.

    None for anything else; capture then keeps the value as an attribute.
    """
    if isinstance(value, datetime.datetime):
        return (value.astimezone(datetime.UTC) - _EPOCH) // datetime.timedelta(microseconds=1) * 1_000
    if isinstance(value, float):
        # Multiplied by 1e9, seconds of today are rounded to 256 nanoseconds; microseconds are exact.
        return round(value * 1e6) * 1_000
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _severity_number(value: Any) -> int:
    """The OTel number of what `log()` was given beyond 1 to 24: a level of `logging`, or a level name."""
    if isinstance(value, int):
        return Severity.from_stdlib(value)
    return LEVEL_NAMES.get(str(value).strip().lower(), Severity.INFO)


def _thread() -> tuple[int | None, str]:
    """What semantic conventions call `thread.id` and `thread.name`."""
    thread = threading.current_thread()
    return thread.ident, thread.name


def _configure_defaults() -> None:
    # The one call that goes up: a logger that nobody configured configures the process.
    try:
        importlib.import_module("fapilog.in_force").configure_defaults()
    except Exception as error:
        # Not even the console could be had: a package that fapilog needs is missing, or raises when it is
        # imported. A later logger tries again.
        diagnostics.say(
            "configuration-failed",
            f"{diagnostics.shown_error(error)}; nothing is logged until configure_otel() succeeds",
        )
        atexit.unregister(_say_what_was_unheard)
        atexit.register(_say_what_was_unheard)


def _say_what_was_unheard() -> None:
    unheard = default_handle.take_unheard()
    if unheard:
        diagnostics.say(
            "records-lost",
            f"{unheard} log calls went nowhere, because the process could not be configured",
            "unheard",
        )


if hasattr(os, "register_at_fork"):
    # The parent counts its own.
    os.register_at_fork(after_in_child=default_handle.take_unheard)


def on_notice(code: str, message: str) -> None:
    """Tell the application's `on_error`, if it has one, what went wrong while it logged."""
    importlib.import_module("fapilog.in_force").on_notice(code, message)


context.connect()
_native.connect_capture(
    describe_exception=exceptions.describe_exception,
    severity_number=_severity_number,
    unix_nanos=unix_nanos,
    wait_for_room=backpressure.wait_for_room,
    must_not_block=backpressure.must_not_block,
    on_notice=on_notice,
    say=diagnostics.say,
    thread=_thread,
    configure_defaults=_configure_defaults,
)
