"""Finds a known value in a text in the forms in which it can hide there."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, unquote_plus

# Shorter ones occur by chance.
SHORTEST_CHARACTERS = 3
# Fewer digits in a row, with blanks anywhere between them, occur by chance.
_SHORTEST_DIGITS = 8
# Shorter ones are found only as a word of their own; encoded they are a part of many texts.
_SHORTEST_INSIDE = 6
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[^\w\"'{}\[\]:=]{1,2}(?=\d)|(?<=\d)_(?=\d)")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"\\/bfnrt]))")
_JSON_MEANING = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Reading:
    """A text, and how it reads when what may be encoded in it is decoded; made once for many values."""

    def __init__(self, text: str) -> None:
        self.text = text
        views: dict[str, str] = {}
        for form, view in _views(text):
            views.setdefault(view, form)
        self.views = [(form, view, _BETWEEN_DIGITS.sub("", view)) for view, form in views.items()]


@dataclass(frozen=True)
class KnownValue:
    """A value that must not occur, and how it may be written.

    Args:
        value: The value; bytes are read as UTF-8.
        name: What to call it in messages, which never show it.

    Raises:
        ValueError: It has fewer than 3 characters and would be found everywhere.

    Example:
        >>> card = KnownValue("4111 1111 1111 1111")
        >>> [card.form_in(text) for text in ("paid with 4111-1111-1111-1111", "NDExMSAxMTExIDExMTEgMTExMQ==")]
        ['digits with other separators', 'base64']
        >>> card.form_in("paid") is None
        True
    """

    value: str = field(repr=False)
    name: str = "a watched value"
    _plain: str = field(init=False, repr=False)
    _digits: str = field(init=False, repr=False)
    _encoded: tuple[tuple[str, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.value) < SHORTEST_CHARACTERS:
            raise ValueError(
                f"{self.name} has fewer than {SHORTEST_CHARACTERS} characters; it would be found by chance"
            )
        joined = _BETWEEN_DIGITS.sub("", _simple(self.value))
        set_once = object.__setattr__
        set_once(self, "_plain", _simple(self.value))
        set_once(self, "_digits", joined if joined.isdigit() and len(joined) >= _SHORTEST_DIGITS else "")
        set_once(self, "_encoded", tuple(_encodings(self.value)))

    def form_in(self, text: str | Reading) -> str | None:
        """Return how the value is written in `text`: `plain`, `percent-encoded`, `base64` and more."""
        reading = text if isinstance(text, Reading) else Reading(text)
        if self._is_in(self.value, reading.text):
            return "plain"
        for form, encoded in self._encoded:
            if encoded in reading.text:
                return form
        for form, view, joined in reading.views:
            if self._is_in(self._plain, view):
                return form
            if self._digits and self._digits in joined:
                return "digits with other separators"
        return None

    def _is_in(self, value: str, text: str) -> bool:
        if value not in text or len(value) >= _SHORTEST_INSIDE:
            return value in text
        return re.search(rf"(?<![\w.:]){re.escape(value)}(?![\w:]|\.\w)", text) is not None


def _simple(text: str) -> str:
    """Compatibility forms made one (full-width digits), invisible characters left out, without case."""
    if text.isascii():
        return text.lower()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _views(text: str) -> Iterator[tuple[str, str]]:
    """The text as it reads when what may be encoded in it is decoded."""
    yield "other characters", _simple(text)
    if "%" in text or "+" in text:
        yield "percent-encoded", _simple(unquote(text))
        yield "percent-encoded", _simple(unquote_plus(text))
    if "\\" in text:
        once = _unescaped(text)
        yield "JSON-escaped", _simple(once)
        yield "JSON-escaped", _simple(_unescaped(once))
        yield "JSON-escaped", _simple(unquote(once))


def _unescaped(text: str) -> str:
    def meaning(found: re.Match[str]) -> str:
        code, sign = found.groups()
        return chr(int(code, 16)) if code else _JSON_MEANING.get(sign, sign)

    return _JSON_ESCAPE.sub(meaning, text)


def _encodings(value: str) -> Iterator[tuple[str, str]]:
    encoded = value.encode("utf-8", "surrogatepass")
    if len(encoded) < _SHORTEST_INSIDE:
        return
    yield "percent-encoded", quote(encoded, safe="")
    yield "JSON-escaped", json.dumps(value)[1:-1]
    yield "hexadecimal", encoded.hex()
    yield "hexadecimal", encoded.hex().upper()
    for before in range(3):
        # Inside longer data the value starts at any third byte; what its neighbours share is left out.
        whole = base64.b64encode(b"\0" * before + encoded).decode("ascii").rstrip("=")
        first = (before * 8 + 5) // 6
        last = ((before + len(encoded)) * 8) // 6
        yield "base64", whole[first:last]
        yield "base64", whole[first:last].replace("+", "-").replace("/", "_")
