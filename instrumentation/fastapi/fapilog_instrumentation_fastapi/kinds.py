"""Reads the types of fields: which are marked as sensitive, and what a member of one is. Thread: caller.

A kind is a type, or what stands beside it in `Annotated` or in a field of pydantic, such as a mark.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

SECRET = "[REDACTED:secret]"  # noqa: S105  # nosec B105 - a marker
_DEEPEST = 16
_UNIONS: tuple[Any, ...] = (typing.Union, types.UnionType)
Kinds = tuple[Any, ...]
Read = dict[int, tuple[Any, dict[Any, list[Kinds]]]]
_known: WeakKeyDictionary[type, dict[Any, str]] = WeakKeyDictionary()


def marker_of(given: Any, depth: int = 0) -> str | None:
    """Return the marker of the first mark in kinds, not in the fields of models; None: there is none.

    Example:
        >>> from typing import Annotated
        >>> from fapilog.redaction import Sensitive
        >>> marker_of((list[Annotated[str, Sensitive("pan")]],)), marker_of((str,))
        ('[REDACTED:pan]', None)
    """
    marker = getattr(given, "fapilog_marker", None)
    if isinstance(marker, str):
        return marker
    if isinstance(given, type) and hasattr(given, "get_secret_value"):
        return SECRET
    if depth > _DEEPEST:
        return None
    found = (marker_of(each, depth + 1) for each in _inside(given))
    return next((each for each in found if each is not None), None)


def _inside(given: Any) -> Iterable[Any]:
    """What a kind is made of, where that is no field with a name."""
    if isinstance(given, tuple):
        return given
    if (root := _root(given)) is not None:
        return root
    return (
        *typing.get_args(given),
        *getattr(given, "__metadata__", ()),
        *(each for each in (_aliased(given),) if each is not None),
    )


def _aliased(given: Any) -> Any:
    """What an alias (`type X = ...`) or a `NewType` stands for; None: it is neither."""
    if isinstance(given, type):
        return None
    return getattr(given, "__value__", None) or getattr(given, "__supertype__", None)


def _root(given: Any) -> Kinds | None:
    """The kinds of what a `RootModel` holds, whose field has no name in JSON."""
    if not getattr(given, "__pydantic_root_model__", False):
        return None
    field = given.model_fields["root"]
    return (field.annotation, *field.metadata)


def first_marker(kinds: Iterable[Kinds]) -> str | None:
    """Return the first marker in any of some kinds."""
    return next((marker for each in kinds if (marker := marker_of(each)) is not None), None)


def below(kinds: Kinds, step: Any, read: Read | None = None) -> Iterator[Kinds]:
    """Yield the kinds of one member of what has these kinds.

    Args:
        kinds: Of the whole.
        step: The name or the place of the member.
        read: Keeps what was read of models, for the next call.
    """
    for kind in plain(kinds):
        fields = _fields(kind, {} if read is None else read)
        if fields:
            yield from fields.get(step, ())
            continue
        arguments = typing.get_args(kind)
        origin = typing.get_origin(kind)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            yield from ((each,) for each in arguments[1:])
        elif isinstance(step, int):
            yield from ((each,) for each in arguments if each is not Ellipsis)


def _fields(kind: Any, read: Read) -> dict[Any, list[Kinds]]:
    known = read.get(id(kind))
    if known is None:
        found: dict[Any, list[Kinds]] = {}
        for names, field in members(kind):
            for name in names:
                found.setdefault(name, []).append(field)
        # What stands in annotations need not be hashable; kept, so that its id stays its own.
        known = read[id(kind)] = (kind, found)
    return known[1]


def plain(kinds: Iterable[Any], depth: int = 0) -> Iterator[Any]:
    """Yield kinds without `Annotated`, aliases, unions and models of one root."""
    for kind in kinds:
        if depth > _DEEPEST:
            return
        if (aliased := _aliased(kind)) is not None:
            yield from plain((aliased,), depth + 1)
        elif (root := _root(kind)) is not None:
            yield from plain(root, depth + 1)
        elif hasattr(kind, "__metadata__") or is_union((kind,)):
            yield from plain(typing.get_args(kind)[: 1 if hasattr(kind, "__metadata__") else None], depth + 1)
        else:
            yield kind


def is_union(kinds: Kinds) -> bool:
    """Tell whether one of some kinds is a union."""
    return any(typing.get_origin(each) in _UNIONS for each in kinds)


def members(kind: Any) -> list[tuple[set[Any], Kinds]]:
    """Return the fields of a model, dataclass or typed dict: the names that each may have, and its kinds."""
    fields = getattr(kind, "model_fields", None)
    if isinstance(fields, Mapping):
        computed = getattr(kind, "model_computed_fields", {})
        return [
            *(
                ({name, *aliases(field)}, (field.annotation, *field.metadata))
                for name, field in fields.items()
            ),
            *(({name, field.alias}, (field.return_type,)) for name, field in computed.items()),
        ]
    if not isinstance(kind, type) or not getattr(kind, "__annotations__", None):
        return []
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception:
        hints = dict(kind.__annotations__)
    return [({name}, (hint,)) for name, hint in hints.items()]


def aliases(field: Any) -> set[Any]:
    """Return the other names of a field of pydantic: in what is validated, and in what is written."""
    found = {field.alias, getattr(field, "serialization_alias", None)}
    alias = getattr(field, "validation_alias", None)
    for each in getattr(alias, "choices", (alias,)):
        # A path goes through members that may be all kinds of things; its last name is the value's.
        steps = [step for step in getattr(each, "path", (each,)) if isinstance(step, str)]
        found.update(steps[-1:])
    return found


def marked_names(kinds: Iterable[Any]) -> dict[Any, str]:
    """Return the names of marked fields, with their markers, in models at any depth below some kinds."""
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
            for own, field in members(waiting.pop()):
                if (marker := marker_of(field)) is not None:
                    known.update((name, marker) for name in own if name is not None)
                inside = [each for each in _every(field) if isinstance(each, type) and each not in seen]
                seen.update(inside)
                waiting += inside
        _known[model] = known
    return known


def any_marks(kinds: Iterable[Any]) -> bool:
    """Tell whether anything is marked in kinds, or mappings of names to kinds, at any depth."""
    return any(
        marker_of(inner) is not None or marked_names(inner)
        for each in kinds
        for inner in (each.values() if isinstance(each, dict) else (each,))
    )


def _every(kinds: Iterable[Any], depth: int = 0) -> Iterator[Any]:
    """The kinds and the arguments of those that are generic, such as the `Item` of `list[Item]`."""
    for kind in plain(kinds):
        yield kind
        if depth < _DEEPEST:
            yield from _every(typing.get_args(kind), depth + 1)
