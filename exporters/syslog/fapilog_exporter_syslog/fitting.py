"""A message that is too large made to fit: cut where it is longest, so that short values stay whole.

Pure functions. Threads: a worker encodes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

Params = list[tuple[str, str]]

# Below it a value says nothing any more: rather leave attributes out, the last ones first.
_LEAST_BYTES = 64
_MARK = "cut_bytes"
_MARK_DIGITS = 10


@dataclass
class Draft:
    """A message in parts, each escaped already.

    Attributes:
        header: Up to and with the space before the structured data.
        elements: Structured data: names, and params in order. The first element holds the mark of a cut.
        text: MSG, without a byte order mark.
        bom: What stands before it.
        rendered: The last element as it is written, where many messages have it in common.
    """

    header: str
    elements: list[tuple[str, Params]] = field(default_factory=list)
    text: str = ""
    bom: str = ""
    rendered: str | None = None

    def assembled(self) -> bytes:
        """Return the message.

        Example:
            >>> Draft("<14>1 - h a - - ", [("x@1", [("n", "v")]), ("y@1", [])], "hello").assembled()
            b'<14>1 - h a - - [x@1 n="v"] hello'
        """
        if self.rendered is None:
            data = "".join(map(element, self.elements))
        else:
            data = "".join([*map(element, self.elements[:-1]), self.rendered])
        message = f" {self.bom}{self.text}" if self.text else ""
        return f"{self.header}{data or '-'}{message}".encode()


def element(given: tuple[str, Params]) -> str:
    """Return an element as it is written; one without params is left out.

    Example:
        >>> element(("x@1", [("a", "1"), ("b", "2")])), element(("x@1", []))
        ('[x@1 a="1" b="2"]', '')
    """
    name, params = given
    if not params:
        return ""
    shown = "".join([f' {key}="{value}"' for key, value in params])
    return f"[{name}{shown}]"


def fit(draft: Draft, limit: int) -> bytes:
    """Return the message with at most `limit` bytes, and with the number of bytes of values that are missing.

    Args:
        draft: What is too large.
        limit: At least 1,024, so that the header and the mark have room.

    Example:
        >>> draft = Draft("<14>1 - h - - - ", [("otel@1", []), ("own@1", [("stack", "x" * 9_000)])], "hi")
        >>> fit(draft, 1_024).decode().replace("x" * 958, "...")
        '<14>1 - h - - - [otel@1 cut_bytes="8042"][own@1 stack="..."] hi'
    """
    whole = sum(_sizes(draft))
    first, *others = [(name, list(params)) for name, params in draft.elements]
    first[1].append((_MARK, "0" * _MARK_DIGITS))
    most = sum(len(params) for _, params in others)

    def without(number: int) -> tuple[Draft, int, bool]:
        small = replace(draft, elements=[first, *_without_last(others, number)], rendered=None)
        sizes = _sizes(small)
        level = _water_level(sizes, limit - (len(small.assembled()) - sum(sizes)))
        return small, level, level >= min(_LEAST_BYTES, max(sizes))

    # What is left has the more room the more is left out: not tried one by one, as there may be thousands.
    number = bisect_left(range(most), True, key=lambda number: without(number)[2])
    small, level, _ = without(number)
    elements = small.elements
    for _, params in elements:
        params[:] = [(key, _cut(value, level)) for key, value in params]
    small.text = _cut(small.text, level)
    missing = whole - (sum(_sizes(small)) - _MARK_DIGITS)
    elements[0][1][-1] = (_MARK, str(missing))
    return small.assembled()


def _sizes(draft: Draft) -> list[int]:
    """The bytes of each value, and of the text."""
    texts = [value for _, params in draft.elements for _, value in params]
    return [len(text.encode()) for text in (*texts, draft.text)]


def _without_last(elements: Sequence[tuple[str, Params]], number: int) -> list[tuple[str, Params]]:
    """Return elements without their last params, so many."""
    kept: list[tuple[str, Params]] = []
    for name, params in reversed(elements):
        left_out = min(number, len(params))
        number -= left_out
        kept.append((name, params[: len(params) - left_out]))
    return kept[::-1]


def _water_level(sizes: Sequence[int], room: int) -> int:
    """Return the largest size that all may have so that together they have room."""
    left, count = room, len(sizes)
    for size in sorted(sizes):
        if size * count > left:
            return max(0, left // count)
        left, count = left - size, count - 1
    return max(sizes, default=0)


def _cut(text: str, limit: int) -> str:
    """The beginning of a text, cut neither within a character nor within an escape."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    kept = raw[:limit].decode("utf-8", "ignore")
    slashes = len(kept) - len(kept.rstrip("\\"))
    return kept[:-1] if slashes % 2 else kept
