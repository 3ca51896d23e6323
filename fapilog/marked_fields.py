"""The fields of a class that `fapilog.redaction.Sensitive` marks: read once per class, when one is logged."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

_known: WeakKeyDictionary[type, Mapping[str, str]] = WeakKeyDictionary()
# Of a mark that can be read, but not evaluated: a name that is only imported for type checkers.
_UNREAD = "[REDACTED:sensitive]"
_DEEPEST = 20


def markers(kind: type) -> Mapping[str, str]:
    """Return what stands in place of each marked field of a class.

    Example:
        >>> markers(dict)
        {}
    """
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = {
            name: marker for name, given in _annotations(kind) if (marker := _marker(given)) is not None
        }
    return found


def _annotations(kind: Any) -> Iterator[tuple[str, object]]:
    """Every field with its type; of pydantic also with what it has taken out of the type."""
    fields = getattr(kind, "model_fields", None)
    if isinstance(fields, Mapping):
        yield from ((name, (field.annotation, *field.metadata)) for name, field in fields.items())
        return
    try:
        yield from typing.get_type_hints(kind, include_extras=True).items()
    except Exception:
        # One name that cannot be found costs all of them: each by itself then.
        for base in reversed(kind.__mro__):
            names = vars(sys.modules.get(base.__module__, sys)) | vars(base)
            yield from ((name, _evaluated(given, names)) for name, given in _own(base).items())


def _own(base: type) -> Mapping[str, object]:
    try:
        return dict(getattr(base, "__annotations__", {})) if "__annotations__" in vars(base) else {}
    except Exception:  # Python 3.14 evaluates them now
        return {}


def _evaluated(given: object, names: dict[str, Any]) -> object:
    if not isinstance(given, str):
        return given
    try:
        return eval(given, names)  # noqa: S307  # nosec B307 - the class's own annotation, as typing.get_type_hints does
    except Exception:
        return given


def _marker(given: object, depth: int = 0) -> str | None:
    """The marker of the first mark anywhere in a type."""
    marker = getattr(given, "fapilog_marker", None)
    if isinstance(marker, str):
        return marker
    if isinstance(given, str):
        return _UNREAD if "Sensitive" in given else None
    if isinstance(given, typing.ForwardRef):
        return _marker(given.__forward_arg__)
    if depth >= _DEEPEST:
        return None
    inner = (
        given
        if isinstance(given, tuple)
        else (*typing.get_args(given), *getattr(given, "__metadata__", ()), getattr(given, "__value__", None))
    )
    found = (_marker(each, depth + 1) for each in inner if each is not None)
    return next((each for each in found if each is not None), None)
