"""Stage 2 of 7, capture: an exception as three attributes. Thread: caller.

Formatted on the caller, because a traceback kept for later would keep every local of its frames alive.
"""

from __future__ import annotations

import sys
import traceback
from contextvars import ContextVar
from types import TracebackType
from typing import Any

# True while a hook of ours lets the program report an exception that is a record already.
recorded: ContextVar[bool] = ContextVar("fapilog_recorded", default=False)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
# Frames of one traceback: deep recursion would fill the record with the same line.
_FRAMES_LIMIT = 64


def describe_exception(exc_info: Any) -> tuple[str, str, str] | None:
    """Describe an exception for `exception.type`, `exception.message` and `exception.stacktrace`.

    The stack trace holds the whole chain (`__cause__`, `__context__`, groups), oldest first, as Python prints
    it; at most 64 frames of each traceback, from both ends.

    Args:
        exc_info: What `exc_info=` takes: an exception, a `sys.exc_info()` tuple, or anything else that is
            true for the exception being handled. No exception gives None.

    Returns:
        Fully qualified type, message and stack trace (OTel semantic conventions, exceptions in logs).

    Example:
        >>> describe_exception(ValueError("no such order"))[:2]
        ('ValueError', 'no such order')
    """
    exception = _exception(exc_info)
    if exception is None:
        return None
    kind = type(exception)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name, _message(exception), _stack(exception)


def _exception(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:
        return f"<unprintable {type(exception).__name__}>"


def _stack(exception: BaseException) -> str:
    try:
        described = traceback.TracebackException.from_exception(exception)
        _shorten(described)
        return "".join(described.format())
    except Exception as error:
        # A class can lie about anything; the record keeps type and message.
        return f"<no stack trace: {type(error).__name__}>"


def _shorten(described: traceback.TracebackException) -> None:
    """Cut every traceback of the chain, of which `TracebackException` has made a tree without cycles."""
    waiting = [described]
    while waiting:
        one = waiting.pop()
        if len(one.stack) > _FRAMES_LIMIT:
            half = _FRAMES_LIMIT // 2
            left_out = len(one.stack) - 2 * half
            gap = traceback.FrameSummary(f"<{left_out} frames left out>", 0, "", line="")
            one.stack[half:-half] = [gap]
        others = (one.__cause__, one.__context__, *(one.exceptions or ()))
        waiting += [other for other in others if other is not None]
