"""Headers and bodies on the access record, as far as settings or a route ask for them. Thread: caller.

Messages are looked at and never changed. Of each body at most `capture.body_bytes` are kept, until the end of
its request.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fapilog_instrumentation_fastapi import contents, hidden_bodies, paths, route_options
from fapilog_instrumentation_fastapi.exchange import Exchange, Message
from fapilog_instrumentation_fastapi.plan import Plan
from fapilog_instrumentation_fastapi.settings_capture import Capture

REQUEST_BODY = "fapilog.http.request.body"
RESPONSE_BODY = "fapilog.http.response.body"
# A pattern never fits these: only who writes the whole name has them.
_NEVER = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
_HEADER_CHARS = 1_024
_HEADERS_LIMIT = 64


def attach(plan: Plan) -> None:
    """Capture for an application; from now on, or from when a route asks for it."""
    capture = plan.settings.capture
    if (
        _wants_bodies(capture)
        or capture.request_headers
        or capture.response_headers
        or route_options.is_capturing()
    ):
        start(plan)
    else:
        route_options.waiting[plan] = start


def start(plan: Plan) -> None:
    """Look at the messages of the requests that begin from now on."""
    plan.on_request = [*plan.on_request, begin]
    plan.on_response = [finish, *plan.on_response]


class Copy:
    """The beginning of one body.

    Args:
        content_type, encoding: Values of its headers `Content-Type` and `Content-Encoding`.

    Attributes:
        data: What is kept.
        is_cut: Whether there was more.
    """

    __slots__ = ("_is_coded", "charset", "data", "is_cut", "kind")

    def __init__(self, content_type: bytes | None, encoding: bytes | None) -> None:
        self.kind, self.charset = contents.media_type(content_type)
        self._is_coded = encoding is not None and encoding.strip().lower() not in {b"identity", b""}
        self.data = bytearray()
        self.is_cut = False

    def fits(self, types: tuple[str, ...]) -> bool:
        """Tell whether the body may be kept: its type is asked for, and it is not compressed."""
        return not self._is_coded and contents.is_one_of(self.kind, types)

    def take(self, chunk: bytes, capture: Capture) -> None:
        """Keep what there is room for."""
        if not chunk or self.is_cut or not self.fits(capture.body_types):
            return
        room = capture.body_bytes - len(self.data)
        self.data += chunk[:room]
        self.is_cut = len(chunk) > room

    def put(
        self, attributes: dict[str, Any], name: str, capture: Capture, hidden: Callable[[Any], Any]
    ) -> None:
        """Add what was kept to attributes, as `hidden` returns it."""
        if not self.data or not self.fits(capture.body_types):
            return
        try:
            content = contents.content(bytes(self.data), self.kind, self.charset, self.is_cut)
            attributes[name] = hidden(content)
        except contents.UnreadableError:
            attributes[f"{name}.unreadable"] = True
        if self.is_cut:
            attributes[f"{name}.cut"] = True


class Copies:
    """The two bodies of an exchange.

    Args:
        exchange: Which one.
    """

    __slots__ = ("_exchange", "request", "response")

    def __init__(self, exchange: Exchange) -> None:
        headers = exchange.scope["headers"]
        self.request = Copy(*_two(headers))
        self.response: Copy | None = None
        # No circle of references: the exchange holds this.
        self._exchange = weakref.ref(exchange)

    def receive(self, message: Message) -> None:
        """Look at what the application gets."""
        exchange = self._exchange()
        if exchange is None or message["type"] != "http.request":
            return
        capture = exchange.options.capture
        # Who reads the body before the router chose a route does not know yet what the route asks for.
        if capture.request_body != "never" or _may_be_asked_for(exchange):
            self.request.take(message.get("body", b""), capture)

    def send(self, message: Message) -> None:
        """Look at what the application sends."""
        exchange = self._exchange()
        if exchange is None:
            return
        capture = exchange.options.capture
        if capture.response_body == "never":
            return
        if message["type"] == "http.response.start":
            self.response = Copy(*_two(message.get("headers") or ()))
        elif message["type"] == "http.response.body" and self.response is not None:
            self.response.take(message.get("body", b""), capture)


def _may_be_asked_for(exchange: Exchange) -> bool:
    endpoint = exchange.scope.get("endpoint")
    # A mounted application stands there until its own router chose.
    return route_options.is_capturing() and (endpoint is None or hasattr(endpoint, "routes"))


def begin(exchange: Exchange) -> None:
    """Begin to look at the messages of an exchange."""
    if exchange.scope["type"] != "http":
        return
    if not (route_options.is_capturing() or _wants_bodies(exchange.options.capture)):
        return
    copies = exchange.copies = Copies(exchange)
    exchange.on_receive, exchange.on_send = copies.receive, copies.send


def finish(exchange: Exchange) -> None:
    """Put what settings ask for on the access record."""
    capture = exchange.options.capture
    attributes: dict[str, Any] = {}
    request, response = exchange.scope.get("headers", ()), exchange.response_headers
    attributes.update(_headers(exchange, "http.request.header.", request, capture.request_headers))
    attributes.update(_headers(exchange, "http.response.header.", response, capture.response_headers))
    copies: Copies | None = exchange.copies
    if copies is not None:
        exchange.copies = None
        failed = exchange.error is not None or (exchange.status or 0) >= 400
        if _wants(capture.request_body, failed):
            hidden = partial(hidden_bodies.of_request, exchange.scope)
            copies.request.put(attributes, REQUEST_BODY, capture, hidden)
        if copies.response is not None and _wants(capture.response_body, failed):
            hidden = partial(hidden_bodies.of_response, exchange.scope)
            copies.response.put(attributes, RESPONSE_BODY, capture, hidden)
    if attributes:
        exchange.add(attributes)


def _wants_bodies(capture: Capture) -> bool:
    return capture.request_body != "never" or capture.response_body != "never"


def _wants(when: str, failed: bool) -> bool:
    return when == "always" or (when == "error" and failed)


def _two(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None]:
    """The values of `Content-Type` and `Content-Encoding`."""
    kind = encoding = None
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-type":
            kind = value
        elif lower == b"content-encoding":
            encoding = value
    return kind, encoding


def _headers(
    exchange: Exchange, prefix: str, headers: Iterable[tuple[bytes, bytes]], patterns: tuple[str, ...]
) -> dict[str, list[str]]:
    """The headers that patterns allow, each as a list of its values (semantic conventions)."""
    if not patterns:
        return {}
    found: dict[str, list[str]] = {}
    marked = paths.marked(exchange.scope)
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if _is_allowed(name, patterns) and (name in found or len(found) < _HEADERS_LIMIT):
            values = found.setdefault(name, [])
            if len(values) < _HEADERS_LIMIT:
                # `Referer` and `Location` are URLs.
                shown = value[:_HEADER_CHARS].decode("latin-1")
                values.append(marked.get(name) or paths.url(exchange, shown))
    return {prefix + name: values for name, values in found.items()}


def _is_allowed(name: str, patterns: tuple[str, ...]) -> bool:
    if name in patterns:
        return True
    return name not in _NEVER and any(
        pattern.endswith("*") and name.startswith(pattern[:-1]) for pattern in patterns
    )
