"""The correlation id leaves with calls of httpx, requests and aiohttp, where somebody asked for that.

An id may have come from a caller, and it tells whoever reads it which calls belong together. So nothing
leaves unasked: either a client is named (`propagate_correlation`), or the hosts are (`outgoing.hosts`, with
`outgoing.clients`). Threads: the configuring one; what is carried is chosen by the caller of the client.
"""

from __future__ import annotations

import importlib
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar

from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog_instrumentation_fastapi import exchange, outgoing_clients
from fapilog_instrumentation_fastapi.outgoing_clients import Carried, Choose
from fapilog_instrumentation_fastapi.settings import Outgoing

_Client = TypeVar("_Client")
Undo = Callable[[Any], object]
Instrument = Callable[[Any, Choose], Undo]
# Clients are few; what their settings mean is worked out once for each.
_REMEMBERED = 256


class Hosts:
    """Which hosts may have the id.

    Args:
        patterns: Names, `*.` before a domain for all names below it, or `*` for every host.

    Example:
        >>> hosts = Hosts(["stock.internal", "*.shop.example"])
        >>> [hosts.has(name) for name in ("stock.internal", "a.shop.example", "shop.example", None)]
        [True, True, False, False]
    """

    __slots__ = ("_domains", "_every", "_names")

    def __init__(self, patterns: Iterable[str]) -> None:
        given = [pattern.lower() for pattern in patterns]
        self._every = "*" in given
        self._names = frozenset(given)
        self._domains = tuple(pattern[1:] for pattern in given if pattern.startswith("*."))

    def has(self, host: str | None) -> bool:
        """Tell whether a host may have it; a dot at the end of its name counts for nothing."""
        if self._every:
            return True
        name = (host or "").lower().rstrip(".")
        return bool(name) and (name in self._names or name.endswith(self._domains))


@lru_cache(_REMEMBERED)
def _hosts(patterns: tuple[str, ...]) -> Hosts:
    return Hosts(patterns)


@lru_cache(_REMEMBERED)
def _changed(settings: Outgoing, changes: tuple[tuple[str, Any], ...]) -> Outgoing:
    return settings.model_copy(update=dict(changes))


class _Switch:
    """What one instrumented client, or library, asks for each call; off when it was taken back.

    Args:
        changes: Of the settings of the application whose request is served.
        library: The name that `outgoing.clients` must have; empty for a client that was named itself.
    """

    def __init__(self, changes: Mapping[str, Any], library: str = "") -> None:
        self._changes = tuple(changes.items())
        self._library = library
        self.is_on = True
        # Takes what was instrumented, which must not live as long as the switch.
        self.undo: Undo = lambda _: None

    def choose(self, host: str | None) -> Carried | None:
        """Return what a call to this host carries; never raises into it."""
        current = exchange.current() if self.is_on else None
        if current is None:
            return None
        try:
            settings = current.plan.settings.outgoing
            if self._library:
                if self._library not in settings.clients:
                    return None
            elif self._changes:
                settings = _changed(settings, self._changes)
            patterns = settings.hosts or (() if self._library else ("*",))
            if not _hosts(patterns).has(host):
                return None
            return Carried(current.correlation_id, settings.header, settings.baggage)
        except Exception as error:
            current.plan.own_errors.add(error, "outgoing")
            return None


_clients: weakref.WeakKeyDictionary[Any, _Switch] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def propagate_correlation(client: _Client, **options: Any) -> _Client:
    """Let calls of one client carry the correlation id of the request that is being served; return it.

    The id goes into the header `outgoing.header` and, as a member, into the header `baggage`. What the caller
    of the client sets himself stays as it is. Outside of a request nothing is added. OpenTelemetry's
    instrumentations of these libraries may be there too, before or after.

    Args:
        client: `httpx.Client`, `httpx.AsyncClient`, those of `httpx2`, `requests.Session` or
            `aiohttp.ClientSession` (3.12 or newer).
        **options: `hosts`, `header` and `baggage` of the group `outgoing`, instead of those of the
            application that serves the request. Without `hosts`, there and here, every host that the client
            calls gets the id: to name the client is the choice.

    Raises:
        ConfigurationError: If an option is wrong, or the client is none of these.

    Example:
        >>> import httpx
        >>> stock = propagate_correlation(httpx.Client(base_url="http://stock.internal"))
        >>> _ = stop_propagating(stock)
    """
    if options.keys() - {"hosts", "header", "baggage"}:
        raise _wrong("options", ", ".join(sorted(options)), "give hosts, header or baggage, and no others")
    try:
        checked = Outgoing.model_validate(options)
    except ValueError as error:
        raise _wrong("options", repr(options), str(error)) from None
    changes = {name: getattr(checked, name) for name in options}
    switch = _Switch(changes)
    instrument = _instrument_client(client)
    with _lock:
        if client in _clients:
            _end(_clients.pop(client), client)
        switch.undo = instrument(client, switch.choose)
        _clients[client] = switch
    return client


def stop_propagating(client: _Client) -> _Client:
    """Take back what `propagate_correlation` did to a client; return it."""
    with _lock:
        switch = _clients.pop(client, None)
        if switch is not None:
            _end(switch, client)
    return client


def _end(switch: _Switch, instrumented: Any) -> None:
    # Somebody may have wrapped ours meanwhile: then it stays, and carries nothing.
    switch.is_on = False
    switch.undo(instrumented)


def _instrument_client(client: Any) -> Instrument:
    for kind in type(client).__mro__:
        name = (kind.__module__.partition(".")[0], kind.__name__)
        if name in _CLIENTS:
            return _CLIENTS[name]
    remedy = "pass a client of httpx, httpx2 or requests, or a session of aiohttp"
    raise _wrong("client", type(client).__name__, remedy)


def _httpx_client(client: Any, choose: Choose) -> Undo:
    below, mounts = client._transport, dict(client._mounts)
    client._transport = outgoing_clients.HttpxTransport(below, choose)
    for pattern, transport in mounts.items():
        if transport is not None:
            client._mounts[pattern] = outgoing_clients.HttpxTransport(transport, choose)

    def undo(client: Any) -> None:
        client._transport = below
        client._mounts.update(mounts)

    return undo


def _requests_session(session: Any, choose: Choose) -> Undo:
    wrapped = outgoing_clients.requests_get_adapter(session.get_adapter, choose)
    return _put(session, "get_adapter", wrapped)


def _aiohttp_session(session: Any, choose: Choose) -> Undo:
    before = session._middlewares
    session._middlewares = (*before, outgoing_clients.aiohttp_middleware(choose))

    def undo(session: Any) -> None:
        session._middlewares = before

    return undo


_CLIENTS: dict[tuple[str, str], Instrument] = {
    ("httpx", "Client"): _httpx_client,
    ("httpx", "AsyncClient"): _httpx_client,
    ("httpx2", "Client"): _httpx_client,
    ("httpx2", "AsyncClient"): _httpx_client,
    ("requests", "Session"): _requests_session,
    ("aiohttp", "ClientSession"): _aiohttp_session,
}


def _httpx_library(httpx: Any, choose: Choose) -> Undo:
    sync, asynchronous = httpx.HTTPTransport, httpx.AsyncHTTPTransport
    send = outgoing_clients.httpx_send(sync.handle_request, choose)
    send_async = outgoing_clients.httpx_send_async(asynchronous.handle_async_request, choose)
    undo = _put(sync, "handle_request", send)
    undo_async = _put(asynchronous, "handle_async_request", send_async)
    return lambda _: (undo(sync), undo_async(asynchronous))


def _requests_library(requests: Any, choose: Choose) -> Undo:
    undo = _requests_session(requests.Session, choose)
    return lambda _: undo(requests.Session)


def _aiohttp_library(aiohttp: Any, choose: Choose) -> Undo:
    session = aiohttp.ClientSession
    middleware = outgoing_clients.aiohttp_middleware(choose)
    original = session.__init__

    def initialise(self: Any, *arguments: Any, middlewares: Any = (), **options: Any) -> None:
        original(self, *arguments, middlewares=(*middlewares, middleware), **options)

    undo = _put(session, "__init__", initialise)
    return lambda _: undo(session)


_LIBRARIES: dict[str, Instrument] = {
    "httpx": _httpx_library,
    "httpx2": _httpx_library,
    "requests": _requests_library,
    "aiohttp": _aiohttp_library,
}
_users: Counter[str] = Counter()
_switches: dict[str, _Switch] = {}


def use(libraries: Iterable[str]) -> Callable[[], None]:
    """Instrument libraries for one more application; returns what takes that back, once."""
    wanted = tuple(dict.fromkeys(libraries))
    with _lock:
        for library in wanted:
            _users[library] += 1
            if library not in _switches:
                switch = _switches[library] = _Switch({}, library)
                switch.undo = _LIBRARIES[library](importlib.import_module(library), switch.choose)
    left = list(wanted)
    return partial(_leave, left)


def _leave(libraries: list[str]) -> None:
    with _lock:
        while libraries:
            library = libraries.pop()
            _users[library] -= 1
            if not _users[library]:
                _end(_switches.pop(library), None)


def _put(owner: Any, name: str, value: Any) -> Undo:
    """Set an attribute; returns what puts the former one back, unless somebody replaced ours."""
    is_own = name in vars(owner)
    before = vars(owner).get(name) if is_own else None
    setattr(owner, name, value)
    ours = weakref.ref(value)

    def undo(owner: Any) -> None:
        if vars(owner).get(name) is not ours():
            return
        if is_own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)

    return undo


def _wrong(name: str, value: str, remedy: str) -> ConfigurationError:
    shown = OffendingSetting(f"propagate_correlation: {name}", value, "argument", remedy)
    what = f"propagate_correlation cannot use what it was given as {name}"
    return ConfigurationError([Problem("setting-invalid", what, (shown,), remedy)])
