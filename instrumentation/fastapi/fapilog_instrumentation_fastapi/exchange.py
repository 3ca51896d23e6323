"""`Exchange`: the state of one request or WebSocket connection, `scope["fapilog.exchange"]`. Thread: caller.

The only state that the parts of this package share: the middleware owns its life, everything else reads or
fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from fapilog_instrumentation_fastapi.plan import Plan, RouteOptions

KEY = "fapilog.exchange"
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

_current: ContextVar[Exchange | None] = ContextVar("fapilog_exchange", default=None)


class Exchange:
    """One request or WebSocket connection, from its first byte to its access record.

    Attributes:
        scope: The ASGI scope as the middleware got it. Routers fill it on the way: `endpoint`, `route`.
        plan: What the application's settings mean.
        correlation_id: Accepted or made; checked.
        context: OpenTelemetry's context at the entry: its span is the server span.
        headers: Values of the headers in `plan.wanted`, in its order; None where there is none.
        path: Of the request, as the server decoded it.
        started_nanos: `perf_counter_ns()` at the entry.
        seconds: How long it took until the response was complete; None until then.
        status: Of the response; None until it starts.
        response_headers: As the application gave them; empty until the response starts.
        close_code: Of a WebSocket connection; None until it is closed.
        request_bytes, response_bytes: Of the bodies, as far as they passed; messages of a WebSocket included.
        received_messages, sent_messages: Of a WebSocket connection.
        is_started: Whether the response, or the WebSocket connection, has started.
        is_complete: Whether the response was handed over completely.
        is_disconnected: Whether the client went away before that.
        error: What the application raised; `CancelledError` too.
        exception_written: Whether a record of `error` exists; who writes one sets it.
        attributes: Further attributes of the access record; they win. None: no.
        on_receive, on_send: Called with every message, before the application or the server gets it; or
            None.
        is_excluded: Whether it has no access record because of its path.
        is_finished: Whether its end was told to `plan.on_response`, and its access record written.
    """

    __slots__ = (
        "_options",
        "attributes",
        "close_code",
        "context",
        "correlation_id",
        "error",
        "exception_written",
        "headers",
        "is_complete",
        "is_disconnected",
        "is_excluded",
        "is_finished",
        "is_started",
        "on_receive",
        "on_send",
        "path",
        "plan",
        "received_messages",
        "request_bytes",
        "response_bytes",
        "response_headers",
        "scope",
        "seconds",
        "sent_messages",
        "started_nanos",
        "status",
    )

    def __init__(
        self, scope: Scope, plan: Plan, correlation_id: str, headers: list[bytes | None], context: Context
    ) -> None:
        self.scope = scope
        self.plan = plan
        self.correlation_id = correlation_id
        self.headers = headers
        self.context = context
        self.path: str = scope["path"]
        self.started_nanos = perf_counter_ns()
        self.seconds: float | None = None
        self.status: int | None = None
        self.response_headers: Iterable[tuple[bytes, bytes]] = ()
        self.close_code: int | None = None
        self.request_bytes = 0
        self.response_bytes = 0
        self.received_messages = 0
        self.sent_messages = 0
        self.is_started = False
        self.is_complete = False
        self.is_disconnected = False
        self.error: BaseException | None = None
        self.exception_written = False
        self.attributes: dict[str, Any] | None = None
        self.on_receive: Callable[[Message], object] | None = None
        self.on_send: Callable[[Message], object] | None = None
        self.is_excluded = False
        self.is_finished = False
        self._options: RouteOptions | None = None

    @property
    def options(self) -> RouteOptions:
        """The options in force: those of the endpoint once the router chose it, else the application's."""
        known = self._options
        if known is None:
            endpoint = self.scope.get("endpoint")
            if endpoint is None:
                return self.plan.options
            known = self._options = self.plan.options_of(endpoint)
        return known

    @property
    def route(self) -> str | None:
        """The template of the route with the prefixes of routers and mounts, such as `/orders/{order_id}`."""
        return self.plan.routes.find(self.scope)

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Put further attributes on the access record."""
        if self.attributes is None:
            self.attributes = dict(attributes)
        else:
            self.attributes.update(attributes)


def current() -> Exchange | None:
    """Return the exchange that this task, or a thread or task started by it, belongs to; None outside."""
    return _current.get()


def enter(exchange: Exchange) -> Any:
    """Make an exchange the current one; returns what `leave` takes."""
    return _current.set(exchange)


def leave(token: Any) -> None:
    """Put back what was current before."""
    _current.reset(token)
