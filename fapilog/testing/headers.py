"""Baggage that leaves in headers, heard at the propagators of OpenTelemetry, for tests."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from urllib.parse import unquote_plus

# They hand on to others, which are heard themselves.
_BETWEEN = ("fapilog.otel.", "opentelemetry.propagators.composite")
_BAGGAGE = "baggage"
# How Jaeger and OpenTracing name a header for each entry.
_PREFIXES = ("uberctx-", "ot-baggage-")

Hear = Callable[[dict[str, Any]], None]


def listen(hear: Hear) -> Iterator[Callable[[], None]]:
    """Hear the baggage that propagators write, those of classes that exist now; each item undoes one."""
    parent = import_module("opentelemetry.propagators.textmap").TextMapPropagator
    for kind in _subclasses(parent):
        if "inject" in vars(kind) and not kind.__module__.startswith(_BETWEEN):
            yield _heard(kind, hear)


def entries_of(name: str, value: str) -> dict[str, str]:
    """Return the entries of the baggage that one header holds; none if it holds no baggage.

    Example:
        >>> entries_of("baggage", "tenant=acme,user=ann%40example.org;ttl=3")
        {'tenant': 'acme', 'user': 'ann@example.org;ttl=3'}
        >>> entries_of("traceparent", "00-1-2-01")
        {}
    """
    lower = name.lower()
    if lower == _BAGGAGE:
        pairs = (part.partition("=") for part in value.split(","))
        return {unquote_plus(key).strip(): unquote_plus(left).strip() for key, _, left in pairs}
    prefix = next((each for each in _PREFIXES if lower.startswith(each)), None)
    return {} if prefix is None else {name[len(prefix) :]: unquote_plus(value)}


def _subclasses(parent: type) -> Iterator[type]:
    children: list[type] = parent.__subclasses__()
    for child in children:
        yield child
        yield from _subclasses(child)


class _Setter:
    """Writes as the given one does, and notes what."""

    def __init__(self, setter: Any, hear: Hear) -> None:
        self._setter = setter
        self._hear = hear

    def set(self, carrier: Any, key: str, value: str) -> None:
        entries = entries_of(str(key), str(value))
        if entries:
            self._hear({_BAGGAGE: entries})
        self._setter.set(carrier, key, value)


def _heard(kind: type, hear: Hear) -> Callable[[], None]:
    plain = vars(kind)["inject"]
    default = import_module("opentelemetry.propagators.textmap").default_setter

    @functools.wraps(plain)
    def inject(self: Any, carrier: Any, context: Any = None, setter: Any = default) -> Any:
        return plain(self, carrier, context, _Setter(setter, hear))

    def undo() -> None:
        if vars(kind).get("inject") is inject:
            setattr(kind, "inject", plain)  # noqa: B010 - a class that is not known here

    setattr(kind, "inject", inject)  # noqa: B010
    return undo
