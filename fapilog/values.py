"""Stage 2 of 7, capture: what rare types are and how they become plain. Thread: caller.

The native side asks `classify` once per type and keeps the answer; common types never come here.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fapilog import _native
from fapilog.marked_fields import markers

_BUILT_IN: dict[type, str] = {
    tuple: "iterable",
    set: "iterable",
    frozenset: "iterable",
    collections.deque: "iterable",
    bytes: "bytes",
    bytearray: "buffer",
    memoryview: "buffer",
    datetime.date: "iso",
    datetime.time: "iso",
    dict: "object",
    list: "iterable",
    str: "str",
    int: "int",
    float: "float",
}


def classify(kind: type) -> str:
    """Tell the native side how values of a type are encoded.

    Args:
        kind: Any type.

    Returns:
        One of `secret`, `enum`, `object` (through `to_plain`), `iterable`, `bytes`, `buffer`, `iso`, `str`,
        `int`, `float`, `numpy` (through `item()`), or `text` (through `str()`).

    Example:
        >>> classify(dict), classify(datetime.datetime), classify(complex)
        ('object', 'iso', 'text')
    """
    if hasattr(kind, "get_secret_value"):
        return "secret"
    if issubclass(kind, enum.Enum):
        return "enum"
    if kind.__module__ == "numpy":
        return "numpy" if hasattr(kind, "item") and not hasattr(kind, "__iter__") else "text"
    if _has_fields(kind) or issubclass(kind, Mapping):
        return "object"
    for base in kind.__mro__:
        if base in _BUILT_IN:
            return _BUILT_IN[base]
    return "text"


def valid_text(value: Any) -> str:
    r"""Return any value as text that UTF-8 can carry: `str(value)` with lone surrogates as backslash escapes.

    Example:
        >>> valid_text("caf\ud800"), valid_text(None), valid_text(7)
        ('caf\\ud800', '', '7')
    """
    try:
        text = "" if value is None else str(value)
        return str.encode(text, "utf-8", "backslashreplace").decode()
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def to_plain(value: Any) -> dict[Any, Any]:
    """Read a mapping, dataclass, attrs or pydantic object into a dict of its fields.

    Fields that their class keeps out of `repr` stay out of the log too, and those that
    `fapilog.redaction.Sensitive` marks have their marker. Values are not converted: the native side encodes
    each, so a `SecretStr` in a model stays hidden.

    Raises:
        Exception: Whatever the object raises; the native side writes `<unprintable T>` then.

    Example:
        >>> to_plain(collections.OrderedDict(a=1))
        {'a': 1}
    """
    if isinstance(value, Mapping):
        return dict(value.items())
    hidden = markers(type(value))
    return {
        name: hidden[name] if name in hidden else getattr(value, name)
        for name in _field_names(type(value))
        if name in hidden or hasattr(value, name)
    }


def _has_fields(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__") or hasattr(kind, "model_fields")


def _field_names(kind: Any) -> Iterator[str]:
    if hasattr(kind, "model_fields"):
        return (name for name, field in kind.model_fields.items() if field.repr)
    fields: Iterable[Any] = (
        kind.__attrs_attrs__ if hasattr(kind, "__attrs_attrs__") else dataclasses.fields(kind)
    )
    return (field.name for field in fields if field.repr)


_native.connect_values(classify, to_plain)
