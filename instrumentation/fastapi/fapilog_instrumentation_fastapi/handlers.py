"""Sees what exception handlers handle: requests that are not valid, and `HTTPException`.

Such an exception never reaches a middleware: a handler makes a response of it, deep inside. So when the stack
of middleware is built, each handler gets a wrapper that looks at the exception and then calls it. Outside of
an exchange the wrapper does nothing else. Threads: the configuring one, or the first request's; caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response

from fapilog_instrumentation_fastapi import http_exceptions, validation
from fapilog_instrumentation_fastapi.exchange import KEY, Exchange
from fapilog_instrumentation_fastapi.failures import NativeLogs
from fapilog_instrumentation_fastapi.plan import Plan

# These two are the handler of `ServerErrorMiddleware`: what it handles is unhandled.
_UNHANDLED = (500, Exception)
_DEEPEST = 100


class Watched:
    """A handler that is looked over the shoulder.

    Args:
        handler: Of the application, or the framework's.
    """

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        inner = handler
        while isinstance(inner, partial):
            inner = inner.func
        # An object may be called, too.
        call = getattr(type(inner), "__call__", None)  # noqa: B004 - it is looked at, not tested for
        self._is_async = inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(call)

    async def __call__(self, connection: Any, error: Exception) -> Any:
        """Write what there is to write, and let the handler do what it does."""
        exchange = connection.scope.get(KEY)
        if exchange is not None and exchange.handled != id(error):
            exchange.handled = id(error)
            _observe(exchange, error)
        if self._is_async:
            return await self.handler(connection, error)
        return await run_in_threadpool(self.handler, connection, error)


def _observe(exchange: Exchange, error: Exception) -> None:
    try:
        if isinstance(error, (RequestValidationError, WebSocketRequestValidationError)):
            validation.write(exchange, error)
        elif isinstance(error, HTTPException):
            http_exceptions.write(exchange, error)
    except Exception as own:
        exchange.plan.own_errors.add(own, "exception handler")


async def problem(request: Any, error: Exception) -> Response:  # noqa: ARG001 - a handler takes both
    """Answer an unhandled exception with a problem document (RFC 9457) that has the correlation id."""
    exchange = request.scope.get(KEY)
    if exchange is None or not exchange.plan.settings.exceptions.problem_response:
        return PlainTextResponse("Internal Server Error", status_code=500)
    document = {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "correlation_id": exchange.correlation_id,
    }
    return JSONResponse(document, status_code=500, media_type="application/problem+json")


@contextmanager
def watched(app: Any, plan: Plan) -> Iterator[None]:
    """Let the stack that is built inside have watched handlers; the application keeps its own."""
    own = getattr(app, "exception_handlers", None)
    if not isinstance(own, dict):
        yield
        return
    app.exception_handlers = _all_watched(own)
    if plan.settings.exceptions.problem_response and not any(key in own for key in _UNHANDLED):
        app.exception_handlers[Exception] = problem
    _watch_mounted(app, plan, 0)
    try:
        yield
    finally:
        app.exception_handlers = own


class Late:
    """Watches the handlers of an application that somebody else put the middleware into, or around.

    Args:
        plan: Whose `on_request` it is, until the first request.
        below: What the middleware was put around.
    """

    def __init__(self, plan: Plan, below: Any) -> None:
        self._plan = plan
        self._below = below

    def __call__(self, exchange: Exchange) -> None:
        """Find the application, once."""
        self._plan.on_request = [each for each in self._plan.on_request if each is not self]
        app = exchange.scope.get("app")
        for each in _chain(self._below) if app is None else (app,):
            _watch_application(each, self._plan, 0)
        # What FastAPI made for this request before it came here has its logger already.
        telemetry = exchange.scope.get("fastapi.telemetry")
        if telemetry is not None and app is not None and app._telemetry.get("logs") is False:
            telemetry.logger = None


def watch_built(app: Any, stack: Iterable[Any], plan: Plan | None = None) -> None:
    """Do the same to the middleware of a stack that exists already."""
    handlers = _all_watched(getattr(app, "exception_handlers", {}))
    answers = plan is not None and plan.settings.exceptions.problem_response
    for middleware in stack:
        if isinstance(middleware, ExceptionMiddleware):
            for key, handler in handlers.items():
                if key not in _UNHANDLED:
                    middleware.add_exception_handler(key, handler)
        elif isinstance(middleware, ServerErrorMiddleware) and middleware.handler is None and answers:
            middleware.handler = problem


def _all_watched(own: Mapping[Any, Any]) -> dict[Any, Any]:
    handlers = dict(own)
    # Starlette's own handler of it stands in no mapping.
    handlers.setdefault(HTTPException, ExceptionMiddleware(_nothing).http_exception)
    return {
        key: handler if key in _UNHANDLED or isinstance(handler, Watched) else Watched(handler)
        for key, handler in handlers.items()
    }


async def _nothing(*_: Any) -> None:
    """Stand for an application that is never called."""


def _watch_mounted(router: Any, plan: Plan, depth: int) -> None:
    """Watch the handlers of mounted applications: each has a stack of its own."""
    if depth > _DEEPEST:
        return
    for route in getattr(router, "routes", ()) or ():
        inner = getattr(route, "app", None)
        if any(_watch_application(each, plan, depth) for each in _chain(inner)):
            continue
        if not hasattr(route, "endpoint"):
            _watch_mounted(route, plan, depth + 1)


def _watch_application(app: Any, plan: Plan, depth: int) -> bool:
    own = getattr(app, "exception_handlers", None)
    if not isinstance(own, dict):
        return False
    app.exception_handlers = _all_watched(own)
    NativeLogs(app, plan).silence()
    watch_built(app, _chain(getattr(app, "middleware_stack", None)))
    _watch_mounted(app, plan, depth + 1)
    return True


def _chain(stack: Any) -> Iterator[Any]:
    for _ in range(_DEEPEST):
        if stack is None:
            return
        yield stack
        stack = getattr(stack, "app", None)
