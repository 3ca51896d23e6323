"""Stage 1 of 7, emit: which records `logging` makes, so that levels and rules reach them. Thread: caller.

`logging` asks a logger for its effective level seldom, and remembers the answer. While a bridge is
installed the answer is the lower one of the application's and ours. The levels of loggers stay what they are,
and other handlers get what they got before: `native/src/python/stdlib_levels.rs`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from fapilog import _native
from fapilog.severity import Severity

# Who chose the severity floor of a logger, as the native side says it.
_NOBODY, _FOR_ALL = 0, 1
# A severity beyond the last one: the logger is switched off.
_NOTHING = 25
# Calls between `callHandlers` and the log call, with room for what other libraries put around them.
_FRAMES = 24
# The class as anything: what follows is the one place that changes it.
_logger_class: Any = logging.Logger
_LOG_CALL = logging.Logger._log.__name__
_HANDLE = logging.Logger.handle.__code__
_STOCK = logging.Logger.getEffectiveLevel


class _Untouched(int):
    """The level of a root logger that nobody has configured; `setLevel` puts another object in its place."""


class Levels:
    """Lets the loggers of `logging` follow what bridges want, from `install` to `remove`.

    A level or a rule for a logger's name counts for that logger, whatever its own level is. A level or a rule
    for all counts where the level of the root logger would. The product's own default, INFO, counts only
    where nobody has configured `logging`. None of them makes a logger quieter: that is for the pipeline.

    Args:
        served: The bridges; may change.
    """

    def __init__(self, served: Sequence[_native.RecordHandler]) -> None:
        self._served = served
        self._original: Any = None
        self._in_place: Any = None

    def install(self) -> None:
        """Take part in the answers of `logging`."""
        root = logging.getLogger()
        if not root.handlers and root.level == logging.WARNING:
            root.setLevel(_Untouched(root.level))
        if self._in_place is None or _logger_class.getEffectiveLevel is _STOCK:
            self._original = original = _logger_class.getEffectiveLevel
            self._in_place = _logger_class.getEffectiveLevel = self._answer(original)
        _native.watch_levels(forget)

    def remove(self) -> None:
        """Give the answers back; when somebody else wrapped ours meanwhile, it stays and changes nothing."""
        _native.watch_levels(None)
        root = logging.getLogger()
        if isinstance(root.level, _Untouched):
            root.setLevel(int(root.level))
        if _logger_class.getEffectiveLevel is self._in_place:
            _logger_class.getEffectiveLevel, self._in_place = self._original, None
        forget()
        _native.levels_differ(None)

    def _answer(self, original: Callable[[logging.Logger], int]) -> Callable[[logging.Logger], int]:
        def getEffectiveLevel(logger: logging.Logger) -> int:  # noqa: N802 - the name of `logging`
            """Get the effective level for this logger, or the lower one that the logs pipeline wants."""
            level = original(logger)
            try:
                wanted = self._wanted(logger, level)
            except Exception:
                # A logger of a class of its own; asking it must not fail.
                return level
            if wanted < level:
                _native.levels_differ(was_logged)
            return wanted

        return getEffectiveLevel

    def _wanted(self, logger: logging.Logger, level: int) -> int:
        served = tuple(self._served)
        if not served or not _native.is_offered(logger):
            return level
        is_root_s = _decider(logger) is logging.getLogger()
        return min((_floor(handler, logger.name, level, is_root_s) for handler in served), default=level)


def _floor(handler: Any, name: str, level: int, is_root_s: bool) -> int:
    """The lowest level that a bridge wants of a logger whose own level is given."""
    severity, chosen = handler.floor(name) or (_NOTHING, _NOBODY)
    if severity >= _NOTHING:
        return level
    recorded = handler.records_from(name)
    if recorded is not None:
        # Whatever the level of the logger is: what is kept for a failure costs memory only.
        level = min(level, max(Severity(recorded).to_stdlib(), handler.level))
    untouched = isinstance(logging.getLogger().level, _Untouched)
    counts = chosen > _FOR_ALL or (is_root_s and (chosen == _FOR_ALL or untouched))
    if not counts:
        return level
    lowest = Severity(severity).to_stdlib() if severity else 1
    if chosen == _NOBODY:
        lowest = max(lowest, logging.INFO)
    own: int = handler.level
    return min(level, max(lowest, own))


def _decider(logger: logging.Logger) -> logging.Logger:
    """The logger whose level counts for this one."""
    here = logger
    while not here.level and here.parent is not None:
        here = here.parent
    return here


def forget() -> None:
    """Let `logging` ask again, as after `setLevel`, which would undo what another thread sets meanwhile."""
    logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined]


def was_logged(_: logging.LogRecord) -> bool:
    """Tell whether a log call made the record that is on its way.

    One that somebody hands to `Logger.handle`, as a server for records of other processes does, passes
    whatever the level of the logger is; also from inside of a handler, hence of another log call.
    """
    frame: FrameType | None = sys._getframe(1)
    handled = False
    for _step in range(_FRAMES):
        if frame is None or (handled and frame.f_code is _HANDLE):
            return False
        handled = handled or frame.f_code is _HANDLE
        # By name: a logger of a class of its own may have its own.
        if frame.f_code.co_name == _LOG_CALL:
            return True
        frame = frame.f_back
    return False
