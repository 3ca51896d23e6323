"""The access record of an exchange: one event with semantic-convention attributes. Thread: caller.

Names and values follow OpenTelemetry's conventions for HTTP servers. Where they have no name, ours begins
with `fapilog.http.` or `fapilog.websocket.`: the duration is a metric there, and no attribute.
"""

from __future__ import annotations

import asyncio
import os
from time import perf_counter_ns
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from fapilog import Severity
from fapilog_instrumentation_fastapi import paths
from fapilog_instrumentation_fastapi.exchange import Exchange, Scope
from fapilog_instrumentation_fastapi.plan import RouteOptions
from fapilog_instrumentation_fastapi.remembering import LONGEST, remember
from fapilog_instrumentation_fastapi.writing import write as write_record

HTTP_EVENT = "fapilog.http.server.request"
WEBSOCKET_EVENT = "fapilog.websocket.server.connection"
DURATION = "fapilog.http.server.request.duration"

# HTTP semantic conventions, http.request.method: RFC 9110, PATCH and QUERY; others are `_OTHER`.
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
INFO, _WARN, _ERROR = int(Severity.INFO), int(Severity.WARN), int(Severity.ERROR)
# RFC 6455, 7.4.1: what is no failure of the server. 1005: no code given; 1006: the connection broke.
_SERVER_FAILED = frozenset({1011, 1012, 1013, 1014})
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_origins: dict[tuple[Any, ...], dict[str, Any]] = {}
_bodies: dict[tuple[str, str | None, int | None], str] = {}


def known_methods() -> frozenset[str]:
    """Return the methods that are written as they are (OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS)."""
    given = os.environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "")
    return frozenset(name.strip() for name in given.split(",") if name.strip()) or frozenset(_METHODS)


_known_methods = known_methods()
_OTHER = "_OTHER"


def method_of(scope: Scope) -> str:
    """Return the method as `http.request.method` has it: one that is not known is `_OTHER`."""
    method: str = scope.get("method", "GET")
    return method if method in _known_methods else _OTHER


def is_disconnect(error: BaseException) -> bool:
    """Tell whether an exception says that the client went away, alone or in groups."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_disconnect(each) for each in error.exceptions)
    return isinstance(error, (ClientDisconnect, WebSocketDisconnect))


def write(exchange: Exchange) -> None:
    """Write the access record of an exchange whose end is known, unless settings leave it out."""
    options = exchange.options
    if exchange.is_excluded or not options.access:
        return
    seconds = exchange.seconds
    if seconds is None:
        seconds = exchange.seconds = (perf_counter_ns() - exchange.started_nanos) / 1e9
    is_http = exchange.scope["type"] == "http"
    if is_http and exchange.error is None and exchange.is_complete:
        severity, error_type = _by_status(exchange.status, options)
    else:
        severity, error_type = _outcome(exchange, options, is_http)
    route = exchange.route
    # How long a connection stays is the choice of both sides.
    is_slow = is_http and seconds >= options.slow_seconds
    is_broken = is_http and exchange.is_disconnected
    if severity == INFO and not (is_slow or is_broken or _sampled(exchange, options)):
        return
    if route in exchange.plan.exclusions.routes:
        return
    attributes = _request(exchange, options, route)
    if error_type is not None:
        attributes["error.type"] = error_type
    if is_broken:
        attributes["fapilog.http.client_disconnected"] = True
    if is_slow:
        attributes["fapilog.http.slow"] = True
    method = attributes["http.request.method"] if is_http else _connection(exchange, attributes)
    if exchange.attributes is not None:
        attributes.update(exchange.attributes)
    event = HTTP_EVENT if is_http else WEBSOCKET_EVENT
    line = body(method, route, exchange.status)
    write_record(options.logger, severity, event, line, attributes, context=exchange.context)


def _outcome(exchange: Exchange, options: RouteOptions, is_http: bool) -> tuple[int, str | None]:
    """The severity, and `error.type` where it failed; sets the status of what ended without a response."""
    error, status = exchange.error, exchange.status
    if error is not None:
        if is_disconnect(error):
            return INFO, None
        if (cancelled := _cancellation(error)) is not None:
            return (INFO, None) if exchange.is_disconnected else (_WARN, cancelled)
        if is_http and status is None:
            # Servers, and middleware outside of this one, answer so.
            exchange.status = 500
        return _ERROR, type_name(error)
    if not is_http:
        # What the client closed with is no failure of this side.
        failed = exchange.close_code in _SERVER_FAILED and not exchange.is_disconnected
        return (_ERROR, str(exchange.close_code)) if failed else _by_status(status, options)
    if not exchange.is_complete and not exchange.is_disconnected:
        return _ERROR, "incomplete_response"
    return _by_status(status, options)


def _cancellation(error: BaseException) -> str | None:
    """`error.type` of a task that was cancelled, by asyncio or by trio; None: it was not."""
    if isinstance(error, asyncio.CancelledError):
        return "asyncio.CancelledError"
    name = type_name(error)
    return name if name == "trio.Cancelled" else None


def _by_status(status: int | None, options: RouteOptions) -> tuple[int, str | None]:
    if status is None or status < 400:
        return INFO, None
    return (options.client_error_severity, None) if status < 500 else (_ERROR, str(status))


def _sampled(exchange: Exchange, options: RouteOptions) -> bool:
    """Whether a request without failure is written; one of 400 to 499 may have the severity of a success."""
    sampler = options.sampler
    if sampler.keeps_all or (exchange.status or 0) >= 400:
        return True
    return sampler.keeps(trace.get_current_span(exchange.context).get_span_context().trace_id)


def common(exchange: Exchange, route: str | None) -> dict[str, Any]:
    """Return what the records of many requests have in common: method, host, route, status and the like."""
    attributes = _origin(exchange.scope, exchange.headers[exchange.plan.host])
    if route is not None:
        attributes["http.route"] = route
    if exchange.status is not None:
        attributes["http.response.status_code"] = exchange.status
    return attributes


def _request(exchange: Exchange, options: RouteOptions, route: str | None) -> dict[str, Any]:
    """The attributes of the request, and the sizes."""
    scope, plan, headers = exchange.scope, exchange.plan, exchange.headers
    attributes = common(exchange, route)
    attributes["url.path"], query = paths.shown(exchange)
    attributes[DURATION] = exchange.seconds
    attributes["http.request.body.size"] = _request_size(exchange, headers[plan.content_length])
    # Servers send no body in answer to HEAD, whatever the application gave them.
    is_head = attributes["http.request.method"] == "HEAD"
    attributes["http.response.body.size"] = 0 if is_head else exchange.response_bytes
    if query and options.query:
        attributes["url.query"] = query
    if options.client and (client := scope.get("client")):
        attributes["client.address"] = client[0]
        if client[1]:
            attributes["client.port"] = client[1]
    if options.user_agent and (agent := headers[plan.user_agent]) is not None:
        attributes["user_agent.original"] = agent.decode("latin-1")
    return attributes


def _origin(scope: Scope, host: bytes | None) -> dict[str, Any]:
    """What many requests have in common: method, scheme, version and server; a dict of the caller's own."""
    key = (scope.get("method", "GET"), scope.get("scheme", "http"), scope.get("http_version"), host)
    known = _origins.get(key)
    if known is not None:
        return known.copy()
    method, scheme, version, _ = key
    attributes = {"http.request.method": method, "url.scheme": scheme}
    if method not in _known_methods:
        attributes |= {"http.request.method": _OTHER, "http.request.method_original": method}
    if version:
        attributes["network.protocol.version"] = version
    attributes |= _server(host, scope)
    # Without the header the server's socket counts, which is no part of the key.
    if host is not None:
        remember(_origins, key, attributes.copy(), len(host) + len(method))
    return attributes


def _connection(exchange: Exchange, attributes: dict[str, Any]) -> str:
    """Add what a WebSocket connection has beyond its request; returns what stands for its method."""
    attributes["network.protocol.name"] = "websocket"
    attributes["fapilog.websocket.received_messages"] = exchange.received_messages
    attributes["fapilog.websocket.sent_messages"] = exchange.sent_messages
    if exchange.close_code is not None:
        attributes["fapilog.websocket.close_code"] = exchange.close_code
    return "WS"


def _request_size(exchange: Exchange, content_length: bytes | None) -> int:
    """What the client said it sends, also where nobody read it; else what was read."""
    if content_length is not None and content_length.isdigit() and len(content_length) < 19:
        return int(content_length)
    return exchange.request_bytes


def _server(host: bytes | None, scope: Scope) -> dict[str, Any]:
    """Address and port of the `Host` header, which HTTP/2 and 3 have too; else of the socket."""
    if host is None:
        address, port = scope.get("server") or (None, None)
    else:
        address, port = _parsed(host)
        if port is None:
            port = _DEFAULT_PORTS.get(scope.get("scheme", "http"))
    if address is None:
        return {}
    return {"server.address": address} if port is None else {"server.address": address, "server.port": port}


def _parsed(host: bytes) -> tuple[str | None, int | None]:
    if len(host) > LONGEST:
        # No host has such a name, and `urlsplit` remembers what it was given.
        return None, None
    try:
        url = urlsplit("//" + host.decode("latin-1"))
        plain = url.username is None and not (url.path or url.query or url.fragment)
        return (url.hostname, url.port) if plain else (None, None)
    except ValueError:
        return None, None


def body(method: str, route: str | None, status: int | None) -> str:
    """Return a line for people: method, route and status, none of it from the outside."""
    key = (method, route, status)
    known = _bodies.get(key)
    if known is None:
        known = " ".join(str(part) for part in key if part is not None)
        remember(_bodies, key, known, len(known))
    return known


def type_name(error: BaseException) -> str:
    """Return the full name of an exception's class, as `error.type` and `exception.type` have it.

    Example:
        >>> type_name(ValueError()), type_name(ClientDisconnect())
        ('ValueError', 'starlette.requests.ClientDisconnect')
    """
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
