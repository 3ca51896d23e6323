"""Stage 1 of 7, emit: how records of `logging` reach the bridge without a handler. Thread: caller.

One hook per process on `logging.Logger.callHandlers`, in place while a bridge is installed. A handler on the
root logger would be lost with each new configuration, make `basicConfig()` do nothing, and silence
`logging.lastResort`.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

from fapilog import _native
from fapilog.bridges import shown_warnings
from fapilog.bridges.stdlib_levels import Levels, forget

# Makes its records only if `hasHandlers()` says that somebody listens.
_ASKS_FOR_HANDLERS = "uvicorn.access"
_lock = threading.RLock()
_served: list[_native.RecordHandler] = []
_levels = Levels(_served)
# The class as anything: what follows is the one place that changes it.
_logger_class: Any = logging.Logger
_STOCK = logging.Logger.callHandlers
_original: Any = None
_in_place: Any = None
_restore: Callable[[], None] = lambda: None  # noqa: E731 - nothing to restore


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603
    # Another thread of the parent may hold it for ever.
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def hook(handler: _native.RecordHandler) -> Callable[[], None]:
    """Offer records to `handler`: those that a handler on the root logger or on a server's logger would get.

    Loggers of `logging` make the records that levels and rules want from then on: `stdlib_levels`.

    Returns:
        A function that ends it; the last one takes the hook out. When somebody else has wrapped the hook
        meanwhile, it stays, and offers records to nobody.
    """
    global _original, _in_place, _restore  # noqa: PLW0603
    with _lock:
        # A mock that was in place with us took us out when it ended.
        if _in_place is None or _logger_class.callHandlers is _STOCK:
            _original = _logger_class.callHandlers
            _in_place = _logger_class.callHandlers = _native.call_handlers(_logger_class, _original)
        if not _served:
            _restore = _make_heard()
        _served.append(handler)
        _native.hook_handlers(_served)
        forget()

    def remove() -> None:
        global _in_place
        with _lock:
            _served.remove(handler)
            # First no record more that only we want, then nobody who takes it and hides it from others.
            forget()
            _native.hook_handlers(_served)
            if not _served:
                _restore()
            if not _served and _logger_class.callHandlers is _in_place:
                _logger_class.callHandlers, _in_place = _original, None

    return remove


def _make_heard() -> Callable[[], None]:
    """Let records be made that nobody would make without a handler; return what undoes it."""
    _levels.install()
    logger, listener = logging.getLogger(_ASKS_FOR_HANDLERS), logging.NullHandler()
    # So uvicorn leaves it where no access log is wanted (`--no-access-log`), before it loads the application.
    if logger.handlers or logger.propagate:
        logger.addHandler(listener)

    def restore() -> None:
        logger.removeHandler(listener)
        _levels.remove()

    return restore


def capture_warnings() -> Callable[[], None]:
    """Let `warnings` speak through `logging`; return a function that undoes it, unless it was so before."""
    if isinstance(warnings.showwarning, shown_warnings.Remembering):
        return lambda: None
    captured = getattr(warnings.showwarning, "__module__", "") == logging.__name__
    logger = logging.getLogger("py.warnings")
    before = list(logger.handlers)
    logging.captureWarnings(True)
    ours = warnings.showwarning = shown_warnings.Remembering(warnings.showwarning)

    def restore() -> None:
        if warnings.showwarning is ours:
            warnings.showwarning = ours.show
        if captured:
            return
        logging.captureWarnings(False)
        for handler in list(logger.handlers):
            # `logging` adds one with the first warning.
            if isinstance(handler, logging.NullHandler) and handler not in before:
                logger.removeHandler(handler)

    return restore


def stock_handler() -> logging.Handler | None:
    """Return OpenTelemetry's own handler, the SDK's or its instrumentation's, if it is on the root logger."""
    return next((handler for handler in logging.getLogger().handlers if _is_stock(handler)), None)


def _is_stock(handler: logging.Handler) -> bool:
    return any(
        base.__name__ == "LoggingHandler" and base.__module__.startswith("opentelemetry.")
        for base in type(handler).__mro__
    )
