"""Stage 1 of 7, emit: exceptions that nobody caught become FATAL or ERROR records, on request. Threads: any.

Each hook logs first and then calls the one it replaced, so what the program prints does not change.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fapilog.diagnostics import while_delivering
from fapilog.exceptions import recorded
from fapilog.logger import get_logger

if TYPE_CHECKING:
    import asyncio

# OTel semantic conventions, exceptions in logs: name of the event for a global handler.
_EVENT_NAME = "exception"


def install() -> Callable[[], None]:
    """Install `sys.excepthook` and `threading.excepthook`; asyncio loops get theirs by `watch_loop`.

    Returns:
        A function that puts the replaced hooks back, unless somebody replaced ours meanwhile.
    """
    log = get_logger("fapilog.hooks")
    previous_sys, previous_threading = sys.excepthook, threading.excepthook

    def on_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            log.critical("uncaught exception", exc_info=error, event_name=_EVENT_NAME)
        previous_sys(kind, error, trace)

    def on_thread_exception(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread else ""
        if arguments.exc_value is not None:
            record = {"thread.name": name, "exc_info": arguments.exc_value, "event_name": _EVENT_NAME}
            log.error("uncaught exception in thread", **record)
        previous_threading(arguments)

    sys.excepthook, threading.excepthook = on_exception, on_thread_exception

    def remove() -> None:
        if sys.excepthook is on_exception:
            sys.excepthook = previous_sys
        if threading.excepthook is on_thread_exception:
            threading.excepthook = previous_threading

    return remove


def watch_loop(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Log what an event loop reports to its exception handler, then let the handler it had go on.

    The loop's default handler reports to the logger `asyncio` of `logging`; with `capture_stdlib` that is a
    record already, so this is for loops with a handler of their own, or without `capture_stdlib`.

    Args:
        loop: Default: the running loop.

    Raises:
        RuntimeError: If no loop is given and none is running.
    """
    import asyncio  # noqa: PLC0415 - 14 ms that programs without a loop need not pay

    watched = loop if loop is not None else asyncio.get_running_loop()
    log = get_logger("fapilog.hooks")
    previous = watched.get_exception_handler()

    def on_loop_exception(reporting: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = str(context.get("message", "exception in event loop"))
        log.error(message, exc_info=context.get("exception"), event_name=_EVENT_NAME)
        # The default handler logs the same exception through `logging`, which is captured too.
        token = recorded.set(True)
        try:
            if previous is not None:
                previous(reporting, context)
            else:
                reporting.default_exception_handler(context)
        finally:
            recorded.reset(token)

    watched.set_exception_handler(on_loop_exception)


def without_record(call: Callable[[], object]) -> None:
    """Call something whose records of `logging` are none of fapilog's, because they repeat what is one.

    Handlers of `logging` get them as ever.

    Args:
        call: Called at once, in a copy of the context.

    Example:
        >>> without_record(lambda: None)
    """
    while_delivering(call)
