"""How the id gets into one call of httpx, requests or aiohttp, and out of its headers again. Thread: caller.

Each library is met where every hop of a redirect passes by, with its own host: the transport, the adapter,
the middleware. What is sent is a copy with headers of its own: the caller's request may be sent by others at
the same time, and what was added must follow no redirect to a host that may not have it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import contextmanager
from copy import copy
from typing import Any
from urllib.parse import quote, urlsplit

from opentelemetry import baggage, context

# W3C Baggage, 3.3.2: what a platform must at least pass on.
_LONGEST_BAGGAGE = 8_192
_BAGGAGE = "baggage"


class Carried:
    """What one call carries.

    Args:
        correlation_id: Of the request that is being served.
        header: Which header has it; None: none.
        member: Which member of the header `baggage` has it; None: none.

    Example:
        >>> headers = {"baggage": "tenant=a"}
        >>> undo = Carried("r-1", "X-Correlation-ID", "id").add(headers)
        >>> headers
        {'baggage': 'tenant=a,id=r-1', 'X-Correlation-ID': 'r-1'}
        >>> undo(headers)
        >>> headers
        {'baggage': 'tenant=a'}
    """

    __slots__ = ("_header", "_id", "_member")

    def __init__(self, correlation_id: str, header: str | None, member: str | None) -> None:
        self._id = correlation_id
        self._header = header
        self._member = member

    def add(self, headers: MutableMapping[str, Any]) -> Callable[[MutableMapping[str, Any]], None]:
        """Put it into headers, whose names know no case; returns what takes it out again.

        What the caller set himself stays.
        """
        header = self._header if self._header is not None and self._header not in headers else None
        if header is not None:
            headers[header] = self._id
        member = self._add_member(headers)

        def undo(headers: MutableMapping[str, Any]) -> None:
            if header is not None and headers.get(header) == self._id:
                del headers[header]
            if member is not None:
                _remove_member(headers, member)

        return undo

    def _add_member(self, headers: MutableMapping[str, Any]) -> str | None:
        if self._member is None:
            return None
        known = _text(headers.get(_BAGGAGE))
        if any(part.partition("=")[0].strip() == self._member for part in known.split(",")):
            return None
        # As OpenTelemetry's propagator reads it: percent-encoded, a plus sign too.
        member = f"{self._member}={quote(self._id, safe='')}"
        whole = f"{known},{member}" if known else member
        if len(whole) > _LONGEST_BAGGAGE:
            return None
        headers[_BAGGAGE] = whole
        return member

    @contextmanager
    def in_baggage(self) -> Any:
        """Have it in OpenTelemetry's baggage, whose propagator writes the header anew."""
        if self._member is None or baggage.get_baggage(self._member) is not None:
            yield
            return
        token = context.attach(baggage.set_baggage(self._member, self._id))
        try:
            yield
        finally:
            context.detach(token)


def _remove_member(headers: MutableMapping[str, Any], member: str) -> None:
    parts = [part for part in _text(headers.get(_BAGGAGE)).split(",") if part.strip() != member]
    if any(parts):
        headers[_BAGGAGE] = ",".join(parts)
    elif _BAGGAGE in headers:
        del headers[_BAGGAGE]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value or ""


# What is carried to a host; None: nothing.
Choose = Callable[[str | None], Carried | None]


@contextmanager
def _on_request(request: Any, carried: Carried | None) -> Any:
    """Give a copy of a request of httpx that carries it; what is done to the copy, the request gets, too."""
    if carried is None:
        yield request
        return
    sent = object.__new__(type(request))
    before = {**vars(request), "headers": request.headers.copy()}
    vars(sent).update(before)
    undo = carried.add(sent.headers)
    try:
        with carried.in_baggage():
            yield sent
    finally:
        # OpenTelemetry replaces the headers; other transports read the stream.
        undo(sent.headers)
        changed = {name: value for name, value in vars(sent).items() if before.get(name) is not value}
        vars(request).update(changed)


def httpx_send(send: Callable[..., Any], choose: Choose) -> Callable[..., Any]:
    """Wrap `handle_request` of a transport."""

    def handle_request(*arguments: Any) -> Any:
        *instance, request = arguments
        with _on_request(request, choose(request.url.host)) as sent:
            return send(*instance, sent)

    return handle_request


def httpx_send_async(send: Callable[..., Awaitable[Any]], choose: Choose) -> Callable[..., Awaitable[Any]]:
    """Wrap `handle_async_request` of a transport."""

    async def handle_async_request(*arguments: Any) -> Any:
        *instance, request = arguments
        with _on_request(request, choose(request.url.host)) as sent:
            return await send(*instance, sent)

    return handle_async_request


class HttpxTransport:
    """Stands before the transport of one client: a transport may be shared with others.

    Args:
        below: The transport.
        choose: What is carried where.
    """

    def __init__(self, below: Any, choose: Choose) -> None:
        self.below = below
        for name, wrap in (("handle_request", httpx_send), ("handle_async_request", httpx_send_async)):
            if hasattr(below, name):
                setattr(self, name, _bound(below, name, wrap, choose))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)

    def __enter__(self) -> Any:
        return self.below.__enter__()

    def __exit__(self, *error: object) -> Any:
        return self.below.__exit__(*error)

    async def __aenter__(self) -> Any:
        return await self.below.__aenter__()

    async def __aexit__(self, *error: object) -> Any:
        return await self.below.__aexit__(*error)


def _bound(below: Any, name: str, wrap: Callable[..., Any], choose: Choose) -> Any:
    def now(request: Any) -> Any:
        # Looked up at each call: OpenTelemetry may put itself there, and away again.
        return getattr(below, name)(request)

    return wrap(now, choose)


class RequestsAdapter:
    """Stands before the adapter that a session of requests chose for a URL.

    Args:
        below: The adapter.
        choose: What is carried where.
    """

    def __init__(self, below: Any, choose: Choose) -> None:
        self.below = below
        self._choose = choose

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Send a prepared request."""
        carried = self._choose(urlsplit(request.url).hostname)
        if carried is None:
            return self.below.send(request, *arguments, **options)
        sent = copy(request)
        sent.headers = request.headers.copy()
        carried.add(sent.headers)
        response = self.below.send(sent, *arguments, **options)
        if getattr(response, "request", None) is sent:
            response.request = request
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


def requests_get_adapter(get_adapter: Callable[..., Any], choose: Choose) -> Callable[..., Any]:
    """Wrap `get_adapter` of sessions."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        return RequestsAdapter(get_adapter(*arguments, **options), choose)

    return wrapped


def aiohttp_middleware(choose: Choose) -> Callable[..., Awaitable[Any]]:
    """Return a client middleware of aiohttp, which sees the request of each hop."""

    async def carry(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        carried = choose(request.url.host)
        if carried is not None:
            carried.add(request.headers)
        return await handler(request)

    return carry
