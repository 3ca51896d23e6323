"""The middleware: correlate, bind, call, observe what is received and sent, write the access record.

Pure ASGI, for FastAPI, Starlette and any other application. It stands inside the server span and outside of
every other middleware. It changes nothing but the echoed header, and raises nothing of its own: an error in
this package is counted, and the request goes on. Thread: caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fapilog import LoggerProvider, Telemetry
from fapilog_instrumentation_fastapi import finishing, handlers, messages
from fapilog_instrumentation_fastapi.assembly import planned
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE, KEY, Exchange, Scope
from fapilog_instrumentation_fastapi.hooks import Hooks
from fapilog_instrumentation_fastapi.messages import Receive, Send
from fapilog_instrumentation_fastapi.plan import Plan
from fapilog_instrumentation_fastapi.settings import RequestLogging

__all__ = ["CORRELATION_ATTRIBUTE", "RequestLoggingMiddleware"]

_SERVED = frozenset({"http", "websocket"})
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestLoggingMiddleware:
    """Gives every request a correlation id and an access record.

    `instrument_fastapi` puts it in its place by itself. For Starlette use `app.add_middleware`, for any other
    ASGI application wrap it: `app = RequestLoggingMiddleware(app)`.

    Args:
        app: The application below.
        settings: Default: the environment (`RequestLogging.load`).
        telemetry: Whose pipeline the records take. Default: the one of the process.
        logger_provider: The same for a `LoggerProvider` of fapilog without `Telemetry`.
        hooks: Functions that are called with each request, its response and its exception.
        plan: Instead of all of these: what is worked out already.

    Example:
        >>> async def app(scope, receive, send): ...
        >>> RequestLoggingMiddleware(app, RequestLogging(spans="none")).app is app
        True
    """

    def __init__(  # noqa: PLR0913 - options by keyword are the point
        self,
        app: Any,
        settings: RequestLogging | None = None,
        *,
        telemetry: Telemetry | None = None,
        logger_provider: LoggerProvider | None = None,
        hooks: Hooks | None = None,
        plan: Plan | None = None,
    ) -> None:
        self.app: Application = app
        if plan is None:
            provider = telemetry.logger_provider if telemetry is not None else logger_provider
            plan = planned(settings if settings is not None else RequestLogging.load(), provider, hooks)
            plan.on_request.append(handlers.Late(plan, app))
        self.plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection; everything else, and what is inside of another one, passes by."""
        kind = scope["type"]
        if KEY in scope or (kind not in _SERVED):
            await self.app(scope, receive, send)
            return
        current = self._begin(scope)
        if current is None:
            await self.app(scope, receive, send)
            return
        if kind == "http":
            receive, send = partial(messages.receive, current, receive), current.sender(send)
        else:
            receive = partial(messages.receive_websocket, current, receive)
            send = partial(messages.send_websocket, current, send)
        plan = self.plan
        current.enter()
        try:
            if plan.on_request:
                finishing.tell(plan.on_request, current, "on_request")
            await self.app(scope, receive, send)
        except BaseException as error:
            current.error = error
            if plan.on_exception and isinstance(error, Exception):
                finishing.tell(plan.on_exception, current, "on_exception")
            raise
        finally:
            if not current.is_finished:
                finishing.finish(current)
            if plan.on_leave:
                finishing.tell(plan.on_leave, current, "on_leave")
            if current.copies is not None:
                current.copies = None
            current.leave(scope)

    def _begin(self, scope: Scope) -> Exchange | None:
        """Read the headers once, and make the exchange."""
        plan = self.plan
        try:
            current = Exchange(scope, plan.rules)
            if plan.exclusions.any_paths and plan.exclusions.path(current.path):
                current.is_excluded = True
            scope[KEY] = current
        except Exception as error:
            plan.own_errors.add(error, "begin")
            return None
        return current
