"""Stage 1 of 7, emit: what reaches a pipeline over two bridges is taken once. Thread: caller.

structlog hands an event on to `logging` when `logging` makes its output; an `InterceptHandler` hands records
of `logging` on to loguru. With a bridge on both sides the second one leaves out what the first one took.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import FrameType

from fapilog import _native

# Calls between the application's and a handler of `logging`, with room for those of other libraries.
_FRAMES = 48
_STRUCTLOG = "structlog"
# Where structlog runs its processors.
_PROCESSORS = "_process_event"


class _Event(threading.local):
    """The last event of structlog that this thread handed on: the call that made it, and its logger."""

    call = 0
    logger = ""


_event = _Event()


def event_goes_on(handle: _native.PipelineHandle, logger: object) -> None:
    """Note that a processor of structlog took an event that goes on; to be called by the processor."""
    if isinstance(logger, logging.Logger):
        _event.call, _event.logger = _call_of_structlog(sys._getframe(1), noting=True), logger.name
        _native.goes_on_to_logging(handle)


def was_taken(record: logging.LogRecord) -> bool:
    """Tell whether a record is the event that this thread noted: made by the same call, by no processor."""
    if not _event.call or record.name != _event.logger:
        return False
    if _event.call != _call_of_structlog(sys._getframe(1)):
        return False
    _event.call = 0
    _native.goes_on_to_logging(None)
    return True


def _call_of_structlog(frame: FrameType | None, *, noting: bool = False) -> int:
    """The identity of the frame of structlog that the application called; 0: none.

    Args:
        frame: Where to begin.
        noting: A processor asks. A record that a processor makes by itself is not the event: then 0.
    """
    mine = 0
    for _ in range(_FRAMES):
        if frame is None:
            break
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == _STRUCTLOG:
            if frame.f_code.co_name == _PROCESSORS and not noting:
                return 0
            mine = id(frame)
        elif mine:
            break
        frame = frame.f_back
    return mine


def was_intercepted(handle: _native.PipelineHandle, text: str) -> bool:
    """Tell whether a text of loguru is the record of `logging` that its handlers are looking at."""
    record = _native.record_on_its_way(handle)
    if record is None:
        return False
    try:
        return bool(record.getMessage() == text)
    except Exception:
        return False  # a message that cannot be formatted is not what a handler passed on
