r"""Texts as RFC 5424 allows them: header fields, names and values of structured data, and MSG.

Controls, line breaks and characters that reorder text become escapes such as `\n` and `\x1b`, as on the
console, so that no value can forge a line in a file of the server. Pure functions. Threads: a worker encodes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

# RFC 5424, 6: PRINTUSASCII; names of structured data must do without = ] " too, and are this long.
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_NOT_IN_NAMES = re.compile(r'[^\x21-\x7e]|[="\]]')
NAME_CHARACTERS = 32
_NAME_TAIL = 15

# Controls, what reorders text, and halves of characters, which UTF-8 cannot write.
_HARMFUL = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_IN_TEXT = re.compile(f"[{_HARMFUL}]")
_IN_VALUES = re.compile(rf'[{_HARMFUL}"\\\]]')
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def header_field(text: str, limit: int) -> str:
    """Return a field of the header: printable ASCII without spaces, of at most `limit` characters, or `-`.

    Example:
        >>> header_field("café au lait", 8), header_field("", 8)
        ('caf__au_', '-')
    """
    return _NOT_PRINTABLE.sub("_", text)[:limit] or "-"


@lru_cache(maxsize=4_096)
def param_name(key: str) -> str:
    """Return a key as a name of structured data; a long one keeps its beginning and its end.

    Example:
        >>> param_name("order id"), param_name("http.response.header.content-type")
        ('order_id', 'http.response.he~er.content-type')
    """
    name = _NOT_IN_NAMES.sub("_", key) or "_"
    if len(name) <= NAME_CHARACTERS:
        return name
    return f"{name[: NAME_CHARACTERS - 1 - _NAME_TAIL]}~{name[-_NAME_TAIL:]}"


def param_value(text: str) -> str:
    r"""Return a text as a value between quotes: `"`, `\` and `]` are escaped (RFC 5424, 6.3.3).

    Example:
        >>> print(param_value('a "b" [c] \\ d' + chr(10)))
        a \"b\" [c\] \\ d\\n
    """
    return _IN_VALUES.sub(_escaped_in_value, text)


def message_text(text: str) -> str:
    r"""Return a text as MSG has it: one line.

    Example:
        >>> print(message_text("first" + chr(10) + "second" + chr(27) + "[0m"))
        first\nsecond\x1b[0m
    """
    return _IN_TEXT.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _escaped_in_value(found: re.Match[str]) -> str:
    if found[0] in '"\\]':
        return f"\\{found[0]}"
    return f"\\{_escaped(found)}"


def text_of(value: Any) -> str:
    """Return any value of OpenTelemetry as text: lists and maps as JSON, bytes in hexadecimal.

    Example:
        >>> [text_of(value) for value in ("a", True, 7, 1.5, bytes([1]), ("a", {"b": None}))]
        ['a', 'true', '7', '1.5', '01', '["a",{"b":null}]']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (Mapping, Sequence)):
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _float_text(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _plain(value: Any) -> Any:
    """What JSON can say: no bytes, no NaN."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
