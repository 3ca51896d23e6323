"""Turns the beginning of a body into an attribute: JSON and forms with their keys, other types as text.

Keys are what redaction knows secrets by in every mode, so JSON and forms that were cut keep their complete
members, and what cannot be read is not shown. Thread: caller.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

_FORM = "application/x-www-form-urlencoded"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\],"]+', re.DOTALL)
_CLOSERS = {"{": "}", "[": "]"}
_MOST_FIELDS = 1_000
# Python keeps each name that it was ever asked for, known or not, and some codecs are slow.
_CHARSETS = frozenset(
    ["ascii", "us-ascii", "iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252"]
    + [f"utf-{bits}{order}" for bits in (16, 32) for order in ("", "le", "be")]
)
# Longer headers than any type has; what is remembered comes from outside.
_LONGEST_TYPE = 256


class UnreadableError(ValueError):
    """A body is not what its content type says."""


def media_type(header: bytes | None) -> tuple[str, str]:
    """Return type and charset of a `Content-Type` header, in small letters.

    Example:
        >>> media_type(b"Application/JSON; charset=UTF-8"), media_type(None)
        (('application/json', 'utf-8'), ('', 'utf-8'))
    """
    return _media_type(header or b"") if len(header or b"") <= _LONGEST_TYPE else ("", "utf-8")


@lru_cache(maxsize=256)
def _media_type(header: bytes) -> tuple[str, str]:
    text, _, parameters = header.decode("latin-1").lower().partition(";")
    charset = next(
        (p.partition("=")[2] for p in parameters.split(";") if p.strip().startswith("charset=")), ""
    )
    return text.strip(), charset.strip(' "') or "utf-8"


@lru_cache(maxsize=256)
def is_one_of(kind: str, types: tuple[str, ...]) -> bool:
    """Tell whether a media type is one of some, which may have stars.

    Example:
        >>> is_one_of("text/html", ("text/*",)), is_one_of("", ("*/*",))
        (True, False)
    """
    return any(fnmatchcase(kind, each) for each in types)


def is_json(kind: str) -> bool:
    """Tell whether a media type is JSON."""
    return kind.endswith(("/json", "+json"))


def content(data: bytes, kind: str, charset: str, is_cut: bool) -> Any:
    """Return what a body says.

    Args:
        data: Its beginning, or all of it.
        kind: Its media type.
        charset: How texts are encoded: UTF-8, UTF-16, UTF-32, ASCII, ISO-8859-1 or Windows-1252; any other
            one counts as UTF-8.
        is_cut: Whether there was more.

    Raises:
        UnreadableError: If it is not what its type says.

    Example:
        >>> content(b'{"a": 1, "b": [2, {"c": "x', "application/json", "utf-8", True)
        {'a': 1, 'b': [2, {}]}
        >>> content(b"a=1&b=2&b=3&c=", "application/x-www-form-urlencoded", "utf-8", False)
        {'a': '1', 'b': ['2', '3'], 'c': ''}
    """
    text = _decoded(data, charset)
    if is_json(kind):
        return _json(text, is_cut)
    if kind == _FORM:
        return _form(text.rpartition("&")[0] if is_cut else text)
    return text


def _decoded(data: bytes, charset: str) -> str:
    return data.decode(charset if charset in _CHARSETS else "utf-8", "replace")


def _json(text: str, is_cut: bool) -> Any:
    try:
        return json.loads(complete(text) if is_cut else text)
    except (ValueError, RecursionError):
        raise UnreadableError("no JSON") from None


def complete(text: str) -> str:
    """Return the longest beginning of a JSON text that ends behind a complete member, with its ends closed.

    Example:
        >>> complete('[1, {"a": "b", "c')
        '[1, {"a": "b"}]'
    """
    closers: list[str] = []
    safe = position = 0
    for token in _TOKEN.finditer(text):
        if text[position : token.start()].strip():
            # A text that is not closed.
            break
        position, word = token.end(), token.group()
        if word in _CLOSERS:
            closers.append(_CLOSERS[word])
        elif word in "]}":
            if not closers:
                break
            closers.pop()
        elif word != ",":
            continue
        safe = token.start() if word == "," else position
    return text[:safe] + "".join(reversed(closers))


def _form(text: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise UnreadableError("no form") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
