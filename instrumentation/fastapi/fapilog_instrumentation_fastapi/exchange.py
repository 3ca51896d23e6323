"""`Exchange`: the state of one request or WebSocket connection, `scope["fapilog.exchange"]`. Thread: caller.

The only state that the parts of this package share: the middleware owns its life, everything else reads or
fills it.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fapilog import asgi

if TYPE_CHECKING:
    from fapilog_instrumentation_fastapi.plan import Plan, RouteOptions

KEY = "fapilog.exchange"
CORRELATION_ATTRIBUTE = "fapilog.correlation_id"
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

# Native code sets it for the time of a request.
CURRENT: ContextVar[Exchange | None] = ContextVar("fapilog_exchange", default=None)


class Exchange(asgi.Exchange):
    """One request or WebSocket connection, from its first byte to its access record.

    What most requests need is native (`fapilog.asgi.Exchange`); here is the rest.

    Attributes:
        scope: The ASGI scope; routers fill it on the way: `endpoint`, `route`. Where middleware made a copy
            of it, the copy that the router got.
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
        bound: Attributes of user, tenant and baggage, which every later record of the request has. None: no.
        handled: `id()` of the exception that an exception handler was last seen to handle.
        copies: Of the bodies, where they are captured.
        shown: Path and query string as records have them, once the request has ended.
        on_receive, on_send: Called with every message, before the application or the server gets it; or
            None.
        is_excluded: Whether it has no access record because of its path.
        is_finished: Whether its end was told to `plan.on_response`, and its access record written.
    """

    plan: Plan
    # What most requests leave as it is stands on the class: to make an exchange then sets no names.
    close_code: int | None = None
    received_messages = 0
    sent_messages = 0
    exception_written = False
    bound: dict[str, Any] | None = None
    handled = 0
    copies: Any = None
    shown: tuple[str, str] | None = None
    _options: RouteOptions | None = None
    _endpoint: Any = None

    @property
    def options(self) -> RouteOptions:
        """The options in force: those of the endpoint once the router chose it, else the application's."""
        endpoint = self.scope.get("endpoint")
        if endpoint is None:
            return self.plan.options
        known = self._options
        # A mount puts the mounted application there first, whose router puts the endpoint later.
        if known is None or endpoint is not self._endpoint:
            known = self._options = self.plan.options_of(endpoint)
            self._endpoint = endpoint
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
    return CURRENT.get()
