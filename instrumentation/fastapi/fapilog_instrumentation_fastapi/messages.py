"""What passes between server and application, observed: all but the ordinary messages of a response.

Those are observed in native code (`fapilog.asgi.Exchange.sender`). Nothing here raises into the application.
Thread: caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fapilog_instrumentation_fastapi.exchange import Exchange, Message

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_STARTS = frozenset({"websocket.accept", "websocket.http.response.start"})


async def receive(exchange: Exchange, below: Receive) -> Message:
    """Stand in for the `receive` of an HTTP request."""
    message = await below()
    try:
        kind = message["type"]
        if kind == "http.request":
            exchange.request_bytes += len(message.get("body", b""))
        elif kind == "http.disconnect" and not exchange.is_complete:
            exchange.is_disconnected = True
        if exchange.on_receive is not None:
            exchange.on_receive(message)
    except Exception as error:
        exchange.plan.own_errors.add(error, "receive")
    return message


def observe(exchange: Exchange, message: Message) -> None:
    """Note what a message of a response tells that is neither its start nor a part of its body."""
    kind = message["type"]
    if kind == "http.response.pathsend":
        exchange.response_bytes = _content_length(exchange.response_headers)
    elif kind == "http.response.zerocopysend":
        exchange.response_bytes += message.get("count") or 0


async def receive_websocket(exchange: Exchange, below: Receive) -> Message:
    """Stand in for the `receive` of a WebSocket connection."""
    message = await below()
    try:
        kind = message["type"]
        if kind == "websocket.receive":
            exchange.received_messages += 1
            exchange.request_bytes += _size(message)
        elif kind == "websocket.disconnect":
            if not exchange.is_complete:
                exchange.is_disconnected = True
            if exchange.close_code is None:
                exchange.close_code = message.get("code", 1005)
        if exchange.on_receive is not None:
            exchange.on_receive(message)
    except Exception as error:
        exchange.plan.own_errors.add(error, "receive")
    return message


def send_websocket(exchange: Exchange, below: Send, message: Message) -> Awaitable[None]:
    """Stand in for the `send` of a WebSocket connection."""
    try:
        kind = message["type"]
        if kind == "websocket.send":
            exchange.sent_messages += 1
            exchange.response_bytes += _size(message)
        elif kind in _STARTS:
            message = exchange.start(message)
        elif kind == "websocket.http.response.body":
            exchange.response_bytes += len(message.get("body", b""))
        elif kind == "websocket.close":
            _close(exchange, message)
        if exchange.on_send is not None:
            exchange.on_send(message)
    except Exception as error:
        exchange.plan.own_errors.add(error, "send")
    return below(message)


def _close(exchange: Exchange, message: Message) -> None:
    if exchange.is_started:
        # After the client closed, what the application sends closes nothing.
        if exchange.close_code is None:
            exchange.close_code = message.get("code", 1000)
    else:
        # ASGI: closed before it was accepted, the client gets 403.
        exchange.status = 403
    exchange.is_complete = True


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
