"""Unhandled exceptions: each one record, with its stack and what was asked. Thread: caller.

We write it and nobody else does: FastAPI's own log event is switched off, and what a server logs of the same
exception goes to the server's handlers, but is no record of fapilog.
"""

from __future__ import annotations

import logging
import traceback
from time import time_ns
from typing import Any

from fastapi.exceptions import ValidationException
from pydantic import ValidationError

from fapilog import Severity, current_telemetry
from fapilog.hooks import without_record
from fapilog_instrumentation_fastapi import hidden_input
from fapilog_instrumentation_fastapi.access import is_disconnect, type_name
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.facts import facts, title
from fapilog_instrumentation_fastapi.plan import Plan

# Semantic conventions, exceptions in logs: the operation's name and `.exception`.
HTTP_EVENT = "http.server.request.exception"
WEBSOCKET_EVENT = "fapilog.websocket.server.connection.exception"
# Loggers of servers that log what an application raised.
_SERVER_LOGGERS = ("uvicorn.error", "hypercorn.error")
_WRITTEN = "_fapilog_written"


def attach(plan: Plan) -> None:
    """Let unhandled exceptions of an application be records."""
    if not plan.settings.exceptions.enabled:
        return
    plan.on_exception.append(write)
    for name in _SERVER_LOGGERS:
        logger = logging.getLogger(name)
        # A filter outlives the `dictConfig` of a server.
        if _pass_on not in logger.filters:
            logger.addFilter(_pass_on)


def write(exchange: Exchange) -> None:
    """Write the exception of an exchange, unless somebody did; a client that went away is none."""
    error = exchange.error
    if error is None or exchange.exception_written or is_disconnect(error):
        return
    exchange.exception_written = True
    is_http = exchange.scope["type"] == "http"
    attributes = facts(exchange)
    attributes["error.type"] = type_name(error)
    if is_http:
        attributes["http.response.status_code"] = exchange.status or 500
    attributes.update(_without_input(error))
    exchange.options.logger.emit_record(
        body=f"unhandled exception in {title(exchange)}",
        severity_number=int(Severity.ERROR),
        severity_text="ERROR",
        time_unix_nano=time_ns(),
        attributes=attributes,
        event_name=HTTP_EVENT if is_http else WEBSOCKET_EVENT,
        exception=error,
        context=exchange.context,
    )
    if _is_of_the_process(exchange.plan):
        _mark(error)


def _without_input(error: BaseException) -> dict[str, Any]:
    """Message and stack of a chain with validations, whose texts hold what was validated; else nothing."""
    if not any(
        isinstance(each, (ValidationException, ValidationError)) for each in hidden_input.chain(error)
    ):
        return {}
    try:
        stack = "".join(traceback.format_exception(error, limit=-hidden_input.FRAMES_LIMIT))
        return {
            "exception.message": hidden_input.without_input(error, str(error)),
            "exception.stacktrace": hidden_input.without_input(error, stack),
        }
    except Exception:
        # A class can lie about anything; its type is kept.
        return {"exception.message": "<unprintable>", "exception.stacktrace": "<no stack trace>"}


def _is_of_the_process(plan: Plan) -> bool:
    """Whether records go where those of `logging` go."""
    telemetry = current_telemetry()
    return plan.logger_provider is None or (
        telemetry is not None and telemetry.logger_provider is plan.logger_provider
    )


def _mark(error: BaseException) -> None:
    try:
        setattr(error, _WRITTEN, True)
    except Exception:
        # A class may refuse attributes; then the server's record is a second one.
        return


def _pass_on(record: logging.LogRecord) -> bool:
    """Give what a server logs of a written exception to its handlers, without a record of ours."""
    if not _is_written(record.exc_info):
        return True
    without_record(lambda: logging.getLogger(record.name).callHandlers(record))
    return False


def _is_written(info: Any) -> bool:
    try:
        return isinstance(info, tuple) and bool(getattr(info[1], _WRITTEN, False))
    except Exception:
        # What an attribute of an exception raises must not reach the server.
        return False


class NativeLogs:
    """FastAPI's own log events of an application, which say what our records say.

    Args:
        app: The application.
        plan: Its plan.
    """

    def __init__(self, app: Any, plan: Plan) -> None:
        self._config: dict[str, Any] | None = getattr(app, "_telemetry", None)
        self._before = self._config.get("logs") if self._config is not None else None
        self._plan = plan

    def silence(self) -> None:
        """Switch them off, unless they go to a provider of their own."""
        if self._config is None or not self._plan.settings.exceptions.enabled:
            return
        provider = self._config.get("logger_provider")
        if provider is None or provider is self._plan.logger_provider or _is_process_provider(provider):
            self._config["logs"] = False
            self._plan.silenced.append(self)

    def give_back(self) -> None:
        """Put back what was."""
        if self._config is not None:
            self._config["logs"] = self._before


def _is_process_provider(provider: Any) -> bool:
    telemetry = current_telemetry()
    return telemetry is not None and telemetry.logger_provider is provider
