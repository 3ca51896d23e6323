"""The middleware: correlate, bind, call, observe what is received and sent, write the access record.

Pure ASGI, for FastAPI, Starlette and any other application. It stands inside the server span and outside of
every other middleware. It changes nothing but the echoed header, and raises nothing of its own: an error in
this package is counted, and the request goes on. Thread: caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter_ns
from typing import Any

from opentelemetry import context as otel_context

from fapilog import LoggerProvider, Telemetry
from fapilog.context import attach, detach
from fapilog_instrumentation_fastapi import access, exchange, handlers
from fapilog_instrumentation_fastapi.assembly import planned
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE, KEY, Exchange, Message, Scope
from fapilog_instrumentation_fastapi.hooks import Hooks
from fapilog_instrumentation_fastapi.plan import Observer, Plan
from fapilog_instrumentation_fastapi.settings import RequestLogging

__all__ = ["CORRELATION_ATTRIBUTE", "RequestLoggingMiddleware"]

_SERVED = frozenset({"http", "websocket"})
# The body, and the two extensions of ASGI that let a server send a file.
_BODIES = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})
_STARTS = frozenset({"websocket.accept", "websocket.http.response.start"})

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
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
        self._wanted = plan.wanted

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
            receive, send = partial(self._receive, current, receive), partial(self._send, current, send)
        else:
            receive, send = partial(self._receive_ws, current, receive), partial(self._send_ws, current, send)
        token, bound = exchange.enter(current), attach({CORRELATION_ATTRIBUTE: current.correlation_id})
        try:
            if self.plan.on_request:
                self._tell(self.plan.on_request, current, "on_request")
            await self.app(scope, receive, send)
        except BaseException as error:
            self._failed(current, error)
            raise
        finally:
            if not current.is_finished:
                self._finish(current)
            if self.plan.on_leave:
                self._tell(self.plan.on_leave, current, "on_leave")
            detach(bound)
            exchange.leave(token)
            # What a task that outlives the request keeps holds no bodies.
            current.on_receive = current.on_send = current.copies = None
            # No circle of references is left for the garbage collector.
            scope.pop(KEY, None)
            if current.scope is not scope:
                current.scope.pop(KEY, None)

    def _begin(self, scope: Scope) -> Exchange | None:
        """Read the headers once, and make the exchange."""
        plan = self.plan
        try:
            wanted = self._wanted
            found: list[bytes | None] = [None] * len(wanted)
            headers = scope["headers"]
            if type(headers) is not list and hasattr(headers, "__next__"):
                # ASGI allows what can be read only once.
                headers = scope["headers"] = list(headers)
            for name, value in headers:
                place = wanted.get(name)
                if place is not None and found[place] is None:
                    found[place] = value
            current = Exchange(scope, plan, plan.correlator.choose(found), found, otel_context.get_current())
            if plan.exclusions.any_paths and plan.exclusions.path(current.path):
                current.is_excluded = True
            scope[KEY] = current
        except Exception as error:
            plan.own_errors.add(error, "begin")
            return None
        return current

    async def _receive(self, current: Exchange, receive: Receive) -> Message:
        message = await receive()
        try:
            kind = message["type"]
            if kind == "http.request":
                current.request_bytes += len(message.get("body", b""))
            elif kind == "http.disconnect" and not current.is_complete:
                current.is_disconnected = True
            if current.on_receive is not None:
                current.on_receive(message)
        except Exception as error:
            self.plan.own_errors.add(error, "receive")
        return message

    def _send(self, current: Exchange, send: Send, message: Message) -> Awaitable[None]:
        try:
            kind = message["type"]
            if kind == "http.response.body":
                current.response_bytes += len(message.get("body", b""))
            elif kind == "http.response.start":
                message = self._start(current, message)
            elif kind == "http.response.pathsend":
                current.response_bytes = _content_length(current.response_headers)
            elif kind == "http.response.zerocopysend":
                current.response_bytes += message.get("count") or 0
            if current.on_send is not None:
                current.on_send(message)
            if kind in _BODIES and not message.get("more_body"):
                current.is_complete = True
                current.seconds = (perf_counter_ns() - current.started_nanos) / 1e9
                if current.status is not None and current.status < 500 and not current.is_finished:
                    self._finish(current)
        except Exception as error:
            self.plan.own_errors.add(error, "send")
        return send(message)

    def _start(self, current: Exchange, message: Message) -> Message:
        """Note how the response, or the connection, begins; add the header with the id."""
        current.is_started = True
        current.status = message.get("status", 101)
        headers = message.get("headers") or ()
        if type(headers) is not list and hasattr(headers, "__next__"):
            headers = list(headers)
            message = {**message, "headers": headers}
        current.response_headers = headers
        echo = self.plan.echo
        if echo is None:
            return message
        for name, _ in headers:
            if len(name) == len(echo) and name.lower() == echo:
                return message
        # A copy: an application may send the same response again and again.
        return {**message, "headers": [*headers, (echo, current.correlation_id.encode("ascii"))]}

    async def _receive_ws(self, current: Exchange, receive: Receive) -> Message:
        message = await receive()
        try:
            kind = message["type"]
            if kind == "websocket.receive":
                current.received_messages += 1
                current.request_bytes += _size(message)
            elif kind == "websocket.disconnect":
                if not current.is_complete:
                    current.is_disconnected = True
                if current.close_code is None:
                    current.close_code = message.get("code", 1005)
            if current.on_receive is not None:
                current.on_receive(message)
        except Exception as error:
            self.plan.own_errors.add(error, "receive")
        return message

    def _send_ws(self, current: Exchange, send: Send, message: Message) -> Awaitable[None]:
        try:
            kind = message["type"]
            if kind == "websocket.send":
                current.sent_messages += 1
                current.response_bytes += _size(message)
            elif kind in _STARTS:
                message = self._start(current, message)
            elif kind == "websocket.http.response.body":
                current.response_bytes += len(message.get("body", b""))
            elif kind == "websocket.close":
                self._close(current, message)
            if current.on_send is not None:
                current.on_send(message)
        except Exception as error:
            self.plan.own_errors.add(error, "send")
        return send(message)

    @staticmethod
    def _close(current: Exchange, message: Message) -> None:
        if current.is_started:
            # After the client closed, what the application sends closes nothing.
            if current.close_code is None:
                current.close_code = message.get("code", 1000)
        else:
            # ASGI: closed before it was accepted, the client gets 403.
            current.status = 403
        current.is_complete = True

    def _failed(self, current: Exchange, error: BaseException) -> None:
        current.error = error
        if self.plan.on_exception and isinstance(error, Exception):
            self._tell(self.plan.on_exception, current, "on_exception")

    def _finish(self, current: Exchange) -> None:
        """Tell who asked, and write the record; called once."""
        current.is_finished = True
        if self.plan.on_response:
            self._tell(self.plan.on_response, current, "on_response")
        try:
            access.write(current)
        except Exception as error:
            self.plan.own_errors.add(error, "access record")

    def _tell(self, observers: list[Observer], current: Exchange, when: str) -> None:
        for observer in observers:
            try:
                observer(current)
            except Exception as error:
                self.plan.own_errors.add(error, when)


def _size(message: Message) -> int:
    data = message.get("bytes")
    if data is not None:
        return len(data)
    return len((message.get("text") or "").encode("utf-8", "surrogatepass"))


def _content_length(headers: Any) -> int:
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0
