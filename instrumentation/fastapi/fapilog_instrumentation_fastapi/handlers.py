"""Sees what exception handlers handle: requests that are not valid, and `HTTPException`.

Such an exception never reaches a middleware: a handler makes a response of it, deep inside. So when the stack
of middleware is built, each handler gets a wrapper that looks at the exception and then calls it. Outside of
an exchange the wrapper does nothing else. Threads: the configuring one, or the first request's; caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
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
# Longer stacks are circles.
_LONGEST = 1_000


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


class Watching:
    """Watches the handlers of applications: of one, and of those that are mounted in it.

    Each keeps its own handlers. They are watched in the stacks that are built from now on, and in the one
    that there is.

    Args:
        plan: Of the outermost application; its `undo` ends it.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seen: list[Any] = []
        self._is_over = False

    def begin(self, app: Any, depth: int = 0) -> bool:
        """Watch an application, if it is one of Starlette's; tells whether it is."""
        below = getattr(app, "build_middleware_stack", None)
        if below is None or not isinstance(getattr(app, "exception_handlers", None), dict):
            return False
        if any(app is each for each in self._seen):
            return True
        self._seen.append(app)
        build = app.build_middleware_stack = partial(self._built, app, below, depth)
        self._plan.undo.append(partial(self._leave, app, build, below))
        NativeLogs(app, self._plan).silence()
        if app.middleware_stack is not None:
            handlers = self._watched(app, depth)
            _watch_built(handlers, chain(app.middleware_stack))
            self._mounted(app, depth)
        return True

    def _built(self, app: Any, below: Callable[[], Any], depth: int) -> Any:
        """Stand in for `build_middleware_stack` of an application."""
        if self._is_over:
            return below()
        self._mounted(app, depth)
        own = app.exception_handlers
        app.exception_handlers = self._watched(app, depth)
        try:
            return below()
        finally:
            app.exception_handlers = own

    def _watched(self, app: Any, depth: int) -> dict[Any, Any]:
        """The handlers of an application as its stack gets them."""
        own: dict[Any, Any] = app.exception_handlers
        handlers = _all_watched(own)
        answers = depth == 0 and self._plan.settings.exceptions.problem_response
        if answers and not any(key in own for key in _UNHANDLED):
            handlers[Exception] = problem
        return handlers

    def _mounted(self, router: Any, depth: int) -> None:
        """Watch mounted applications: each has a stack of its own."""
        if depth > _DEEPEST:
            return
        for route in getattr(router, "routes", ()) or ():
            if any(self.begin(each, depth + 1) for each in chain(getattr(route, "app", None))):
                continue
            if not hasattr(route, "endpoint"):
                self._mounted(route, depth + 1)

    def _leave(self, app: Any, build: object, below: object) -> None:
        self._is_over = True
        if app.build_middleware_stack is build:
            app.build_middleware_stack = below


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
        watching = Watching(self._plan)
        for each in chain(self._below) if app is None else (app,):
            watching.begin(each)
        # What FastAPI made for this request before it came here has its logger already.
        telemetry = exchange.scope.get("fastapi.telemetry")
        if telemetry is not None and app is not None and app._telemetry.get("logs") is False:
            telemetry.logger = None


def _watch_built(handlers: Mapping[Any, Any], stack: Iterable[Any]) -> None:
    """Let the middleware of a stack that exists have these handlers."""
    for middleware in stack:
        if isinstance(middleware, ExceptionMiddleware):
            for key, handler in handlers.items():
                if key not in _UNHANDLED:
                    middleware.add_exception_handler(key, handler)
        elif isinstance(middleware, ServerErrorMiddleware) and handlers.get(Exception) is problem:
            middleware.handler = middleware.handler or problem


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


def chain(stack: Any) -> list[Any]:
    """Return the middleware of a stack from the outside in, as far as each keeps the next one in `app`."""
    found: list[Any] = []
    while stack is not None and len(found) < _LONGEST and not any(stack is each for each in found):
        found.append(stack)
        stack = getattr(stack, "app", None)
    return found
