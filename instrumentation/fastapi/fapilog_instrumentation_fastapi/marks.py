"""Finds what models mark as sensitive (`fapilog.redaction.Sensitive`, `SecretStr`) in a request's raw values.

What did not pass validation is no model yet: a mapping as the caller sent it. So the kinds of the route's
parameters are walked beside it. Thread: caller.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

_SECRET = "[REDACTED:secret]"  # noqa: S105  # nosec B105 - a marker
_UNKNOWN = "[REDACTED:sensitive]"
_DEEPEST = 16
_MEMBERS_LIMIT = 500
_UNIONS: tuple[Any, ...] = (typing.Union, types.UnionType)
_Kinds = tuple[Any, ...]
_known: WeakKeyDictionary[type, dict[Any, str]] = WeakKeyDictionary()


class Fields:
    """The kinds of the parameters of a route.

    Args:
        route: Of FastAPI; any other one has no parameters that are known.

    Attributes:
        has_marks: Whether anything in them is marked.
    """

    def __init__(self, route: Any) -> None:
        self._by_place: dict[str, dict[str, _Kinds]] = {}
        self._read(getattr(route, "dependant", None), 0)
        # A marked field is hidden by its name everywhere: callers put things in wrong places.
        self._names: dict[Any, str] = {}
        for known in self._by_place.values():
            self._names.update((name, found) for name, kinds in known.items() if (found := _marker(kinds)))
            for kinds in known.values():
                self._names.update(_marked_names(kinds))
        self.has_marks = bool(self._names) or any(
            _marker(kinds) for known in self._by_place.values() for kinds in known.values()
        )

    @property
    def names(self) -> Mapping[Any, str]:
        """The names of marked parameters, and of marked fields of their models, with their markers."""
        return self._names

    def _read(self, dependant: Any, depth: int) -> None:
        if dependant is None or depth > _DEEPEST:
            return
        for place in ("body", "query", "path", "header", "cookie"):
            known = self._by_place.setdefault(place, {})
            for field in getattr(dependant, f"{place}_params", ()) or ():
                info = field.field_info
                known[str(field.alias)] = (info.annotation, *info.metadata)
        for inner in getattr(dependant, "dependencies", ()) or ():
            self._read(inner, depth + 1)

    def hidden(self, steps: Sequence[Any], value: Any) -> tuple[str | None, Any]:
        """Return what stands for a value: twice the marker, or None and the value without marked parts.

        Args:
            steps: Where it stands: `("body", "card", "number")`.
            value: As the caller sent it.
        """
        if not self.has_marks:
            return None, value
        by_name = next((self._names[step] for step in steps[1:] if step in self._names), None)
        if by_name is not None or not steps:
            return by_name, by_name if by_name is not None else value
        cleaning = _Cleaning(self._names)
        known = self._by_place.get(str(steps[0]), {})
        # One parameter is the body itself; several are its members. Both readings count.
        kinds = list(known.values())
        if len(steps) == 1:
            whole = None if isinstance(value, Mapping) else _first_marker(kinds)
            return whole, whole or cleaning.cleaned(value, [*kinds, known], 0)
        found = [known[str(steps[1])]] if str(steps[1]) in known else []
        marker, inside = _walk(found, steps[2:])
        if marker is None:
            marker, deeper = _walk([each for each in kinds if not _marker(each)], steps[1:])
            inside = [*inside, *deeper]
        if marker is None and not inside and _any_marks(kinds):
            # Where the location leads nowhere, nobody can tell what the value is.
            marker = _UNKNOWN
        return marker, marker or cleaning.cleaned(value, inside, 0)


def _walk(kinds: list[_Kinds], steps: Iterable[Any]) -> tuple[str | None, list[Any]]:
    """Follow steps through types; a marker on the way, or the kinds at the end."""
    for step in steps:
        if (marker := _first_marker(kinds)) is not None:
            return marker, []
        kinds = [inner for each in kinds for inner in _below(each, step)] or [
            each for each in kinds if not isinstance(step, int) and _is_union(each)
        ]
    return _first_marker(kinds), list(kinds)


def _first_marker(kinds: Iterable[_Kinds]) -> str | None:
    return next((marker for each in kinds if (marker := _marker(each)) is not None), None)


def _below(kinds: _Kinds, step: Any) -> Iterator[_Kinds]:
    """The kinds of one member of what has these types."""
    for kind in _plain(kinds):
        fields = _members(kind)
        if fields:
            yield from (field for names, field in fields if step in names)
            continue
        arguments = typing.get_args(kind)
        origin = typing.get_origin(kind)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            yield from ((each,) for each in arguments[1:])
        elif isinstance(step, int):
            yield from ((each,) for each in arguments if each is not Ellipsis)


def _plain(kinds: Iterable[Any], depth: int = 0) -> Iterator[Any]:
    """The kinds without `Annotated`, aliases and unions."""
    for kind in kinds:
        inner = getattr(kind, "__value__", None)
        if depth > _DEEPEST:
            return
        if inner is not None:
            yield from _plain((inner,), depth + 1)
        elif hasattr(kind, "__metadata__") or _is_union((kind,)):
            yield from _plain(
                typing.get_args(kind)[: 1 if hasattr(kind, "__metadata__") else None], depth + 1
            )
        else:
            yield kind


def _is_union(kinds: _Kinds) -> bool:
    return any(typing.get_origin(each) in _UNIONS for each in kinds)


def _members(kind: Any) -> list[tuple[set[Any], _Kinds]]:
    """The fields of a model, dataclass or typed dict: the names that each may have, and its types."""
    fields = getattr(kind, "model_fields", None)
    if isinstance(fields, Mapping):
        return [
            ({name, field.alias, _alias(field)}, (field.annotation, *field.metadata))
            for name, field in fields.items()
        ]
    if not isinstance(kind, type) or not getattr(kind, "__annotations__", None):
        return []
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception:
        hints = dict(kind.__annotations__)
    return [({name}, (hint,)) for name, hint in hints.items()]


def _alias(field: Any) -> Any:
    alias = getattr(field, "validation_alias", None)
    return alias if isinstance(alias, str) else None


def _marker(given: Any, depth: int = 0) -> str | None:
    """The marker of the first mark in kinds, not in the fields of models."""
    marker = getattr(given, "fapilog_marker", None)
    if isinstance(marker, str):
        return marker
    if isinstance(given, type) and hasattr(given, "get_secret_value"):
        return _SECRET
    if depth > _DEEPEST:
        return None
    inner = (
        given if isinstance(given, tuple) else (*typing.get_args(given), *getattr(given, "__metadata__", ()))
    )
    found = (_marker(each, depth + 1) for each in inner)
    return next((each for each in found if each is not None), None)


def _marked_names(kinds: Iterable[Any]) -> dict[Any, str]:
    """The names of marked fields, with their markers, in models at any depth below some kinds."""
    names: dict[Any, str] = {}
    for kind in _every(kinds):
        if isinstance(kind, type):
            names.update(_names_of(kind))
    return names


def _names_of(model: type) -> dict[Any, str]:
    known = _known.get(model)
    if known is None:
        known = {}
        waiting, seen = [model], {model}
        while waiting:
            for own, field in _members(waiting.pop()):
                if (marker := _marker(field)) is not None:
                    known.update((name, marker) for name in own if name is not None)
                below = [each for each in _every(field) if isinstance(each, type) and each not in seen]
                seen.update(below)
                waiting += below
        _known[model] = known
    return known


def _any_marks(kinds: Iterable[Any]) -> bool:
    return any(
        _marker(inner) is not None or _marked_names(inner)
        for each in kinds
        for inner in (each.values() if isinstance(each, dict) else (each,))
    )


def _every(kinds: Iterable[Any], depth: int = 0) -> Iterator[Any]:
    """The kinds and the arguments of those that are generic, such as the `Item` of `list[Item]`."""
    for kind in _plain(kinds):
        yield kind
        if depth < _DEEPEST:
            yield from _every(typing.get_args(kind), depth + 1)


class _Cleaning:
    """Takes marked members out of one raw value, of which it looks at so many members and no more.

    Args:
        names: Of fields that are hidden wherever they stand.
    """

    def __init__(self, names: Mapping[Any, str]) -> None:
        self._names = names
        self._left = _MEMBERS_LIMIT

    def cleaned(self, value: Any, kinds: list[Any], depth: int) -> Any:
        """Return the value; `kinds` holds kinds, or mappings of names to kinds."""
        if isinstance(value, (Mapping, list, tuple)):
            if depth > _DEEPEST:
                return _UNKNOWN
            if isinstance(value, Mapping):
                members = islice(value.items(), self._left)
                return {name: self._member(name, inner, kinds, depth) for name, inner in members}
            return [
                self._member(place, inner, kinds, depth)
                for place, inner in enumerate(islice(value, self._left))
            ]
        # A text where a model with marked fields was expected may be one of them.
        return _UNKNOWN if kinds and _any_marks(kinds) else value

    def _member(self, step: Any, value: Any, kinds: list[Any], depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            return _UNKNOWN
        if isinstance(step, str) and step in self._names:
            return self._names[step]
        inner: list[Any] = []
        for each in kinds:
            if isinstance(each, dict):
                inner += [each[step]] if step in each else []
            else:
                inner += _below(each, step)
        if (marker := _first_marker(inner)) is not None:
            return marker
        if not inner and isinstance(step, int) and _any_marks(kinds):
            return _UNKNOWN
        return self.cleaned(value, inner, depth + 1)
