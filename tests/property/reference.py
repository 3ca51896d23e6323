"""A slow encoder of Python values as OTLP `AnyValue`, written from the table of types and from nothing else.

The native encoder is compared with it. It is meant to be read next to the table:

| Python | OTLP |
|---|---|
| None | no value |
| str and subclasses | string; lone surrogates as backslash escapes |
| bool | bool |
| int | int within 64 bits, else its decimal digits, beyond the interpreter's digit limit hexadecimal |
| float | double, NaN and infinities included |
| bytes, bytearray, memoryview | bytes |
| list, tuple, namedtuple, set, frozenset, deque | array |
| mappings | kvlist, keys by `str()` |
| dataclass, attrs, pydantic | kvlist of the fields that their class shows in `repr` |
| datetime, date, time | `isoformat()` |
| Enum | its value |
| an object with `get_secret_value` | the marker |
| anything else | `str()`, or `<unprintable T>` |

A container inside itself is `<cycle>`. Containers nested deeper than the limit have no value. Under a secret
name there is the marker. Credentials in URLs are replaced in every key, string and bytes value.
"""

import collections
import dataclasses
import datetime
import enum
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from fapilog.redaction.policy import default_policy

MARKER = "[REDACTED:secret]"
DEPTH_LIMIT = 30
_SEQUENCES = (list, tuple, set, frozenset, collections.deque)
_ENDS_AUTHORITY = r"[^/?#\"<>\\`\x00- ]"
_URL = r"(://|:\\/\\/)"
_USERINFO = re.compile(f"{_URL}{_ENDS_AUTHORITY}+@")
_USERINFO_BYTES = re.compile(f"{_URL}{_ENDS_AUTHORITY}+@".encode())
# The words are those of the policy; what makes a key of them is written here a second time.
_POLICY = default_policy()


def text(value: str) -> str:
    """Return valid Unicode: lone surrogates as backslash escapes."""
    return str.encode(value, "utf-8", "backslashreplace").decode()


def is_secret(name: str) -> bool:
    """Tell whether a key names a secret, in any spelling; numbers at its end are passed over."""
    words = split(name)
    if "".join(words) in _POLICY.exact:
        return True
    pairs = [first + second for first, second in itertools.pairwise(words)]
    by_words = [is_named(word, _POLICY.anywhere) for word in words + pairs]
    while words and set(words[-1]) <= set("0123456789"):
        words.pop()
    endings = ["".join(words[-count:]) for count in (1, 2, 3)]
    by_ending = [is_named(ending, _POLICY.last) for ending in endings]
    return name not in _POLICY.kept and any(by_words + by_ending)


def is_named(word: str, known: tuple[str, ...]) -> bool:
    """Tell whether a word is a known one, or ends with one of five letters or more."""
    return word in known or any(len(one) >= 5 and word.endswith(one) for one in known)


def split(name: str) -> list[str]:
    """Return the words of a key in lower case: `XApiKey_2` is x, api, key and 2."""
    words = [""]
    for before, char, after in zip(f" {name}", name, f"{name[1:]} ", strict=False):
        starts = char.isupper() and (before.islower() or (before.isupper() and after.islower()))
        number = before.isalnum() and char.isnumeric() != before.isnumeric()
        if starts or number or not char.isalnum():
            words.append("")
        if char.isalnum():
            words[-1] += char.lower()
    return [word for word in words if word]


def key_values(items: Iterable[tuple[Any, Any]], path: tuple[int, ...] = ()) -> list[KeyValue]:
    """Encode pairs: attributes, or the entries of a map."""
    pairs: list[KeyValue] = []
    seen = set()
    for key, value in items:
        name = text(key) if isinstance(key, str) else text(shown(key))
        if name in seen:
            continue
        seen.add(name)
        hidden = AnyValue(string_value=MARKER) if is_secret(name) else any_value(value, path)
        pairs.append(KeyValue(key=without_userinfo(name), value=hidden))
    return pairs


def shown(value: Any) -> str:
    """Return `str(value)`, or what stands for it when that fails."""
    try:
        return str(value)
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def any_value(value: Any, path: tuple[int, ...] = ()) -> AnyValue:
    """Encode one value; `path` holds the containers around it."""
    if value is None:
        return AnyValue()
    if hasattr(type(value), "get_secret_value"):
        return AnyValue(string_value=MARKER)
    if isinstance(value, enum.Enum):
        # An enum counts as a level, because its value may hold it again.
        return any_value(value.value, (*path, id(value))) if len(path) < DEPTH_LIMIT else string(str(value))
    if has_fields(value) or isinstance(value, (Mapping, *_SEQUENCES)):
        return container(value, path)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return AnyValue(bytes_value=_USERINFO_BYTES.sub(rb"\1REDACTED:REDACTED@", bytes(value)))
    return scalar(value)


def scalar(value: Any) -> AnyValue:
    """Encode a value that holds no others."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return AnyValue(int_value=value)
        return string(digits(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return string(str.__str__(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return string(value.isoformat())
    return string(shown(value))


def string(value: str) -> AnyValue:
    """Encode text without credentials in URLs."""
    return AnyValue(string_value=without_userinfo(text(value)))


def without_userinfo(value: str) -> str:
    """Hide the credentials of every URL in a text."""
    return _USERINFO.sub(r"\1REDACTED:REDACTED@", value)


def digits(value: int) -> str:
    """Return decimal digits, or hexadecimal ones where the interpreter refuses decimal ones."""
    try:
        return str(value)
    except ValueError:
        return hex(value)


def has_fields(value: Any) -> bool:
    """Tell dataclasses, attrs and pydantic objects."""
    kind = type(value)
    return dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__") or hasattr(kind, "model_fields")


def container(value: Any, path: tuple[int, ...]) -> AnyValue:
    """Encode what holds other values."""
    if id(value) in path:
        return AnyValue(string_value="<cycle>")
    if len(path) >= DEPTH_LIMIT:
        return AnyValue()
    inner = (*path, id(value))
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value.items(), inner)))
    if has_fields(value):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(visible_fields(value), inner)))
    return AnyValue(array_value=ArrayValue(values=[any_value(item, inner) for item in value]))


def visible_fields(value: Any) -> list[tuple[str, Any]]:
    """Return the fields that a class shows in its `repr`."""
    kind: Any = type(value)
    if hasattr(kind, "model_fields"):
        names = [name for name, field in kind.model_fields.items() if field.repr]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__ if field.repr]
    else:
        names = [field.name for field in dataclasses.fields(kind) if field.repr]
    return [(name, getattr(value, name)) for name in names]
