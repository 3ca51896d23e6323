"""What uvicorn logs of requests: silenced when asked, and without secret parameters in records of fapilog.

uvicorn logs `path?query` from within the request. Its own handlers get that as ever. Thread: caller.
"""

from __future__ import annotations

import logging
import weakref
from copy import copy
from functools import partial
from urllib.parse import quote

from fapilog.bridges.stdlib import FapilogHandler
from fapilog.hooks import without_record
from fapilog_instrumentation_fastapi import paths
from fapilog_instrumentation_fastapi.exchange import Exchange, current
from fapilog_instrumentation_fastapi.plan import Plan

_ACCESS = "uvicorn.access"
# WebSocket connections are logged by the second one.
_LOGGERS = (_ACCESS, "uvicorn.error")
_silencing: weakref.WeakSet[Plan] = weakref.WeakSet()


def attach(plan: Plan) -> None:
    """Look at what uvicorn logs from now on; silence `uvicorn.access` while one who asked for it is there."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        # A filter outlives uvicorn's own `dictConfig`, which a level would not.
        if _pass_on not in logger.filters:
            logger.addFilter(_pass_on)
    if plan.settings.access.silence_uvicorn:
        _silencing.add(plan)
        plan.undo.append(partial(_silencing.discard, plan))


def _pass_on(record: logging.LogRecord) -> bool:
    """Let a record go on; one with a secret goes to the handlers of `logging`, and without it to fapilog."""
    if record.name == _ACCESS and _silencing:
        return False
    try:
        exchange = current()
        if exchange is None or not isinstance(record.args, tuple):
            return True
        shown = tuple(_shown(exchange, each) for each in record.args)
        if shown == record.args:
            return True
        _separate(record, shown)
    except Exception as error:
        if exchange is not None:
            exchange.plan.own_errors.add(error, "line of uvicorn")
        return True
    return False


def _shown(exchange: Exchange, value: object) -> object:
    if not isinstance(value, str) or not value.startswith("/"):
        return value
    path, mark, query = value.partition("?")
    hidden = paths.path(exchange)
    if hidden != exchange.path and path == quote(exchange.path):
        path = hidden
    return path + mark + paths.query(exchange, query.encode("latin-1", "replace")) if mark else path


def _separate(record: logging.LogRecord, shown: tuple[object, ...]) -> None:
    logger = logging.getLogger(record.name)
    # Filters behind ours are not asked any more.
    behind = logger.filters[logger.filters.index(_pass_on) + 1 :]
    if not all(each.filter(record) if hasattr(each, "filter") else each(record) for each in behind):
        return
    hidden = copy(record)
    hidden.args = shown
    without_record(lambda: logger.callHandlers(record))
    # The bridge knows uvicorn's loggers by their names; this one has no handlers but those of fapilog.
    stand_in = logging.Logger(record.name)
    stand_in.propagate = False
    stand_in.handlers = [each for each in logger.handlers if isinstance(each, FapilogHandler)] or [_NOWHERE]
    stand_in.callHandlers(hidden)


_NOWHERE = logging.NullHandler()
