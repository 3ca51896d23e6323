"""What can be wrong with a JSON value, for `fapilog validate`: small checks that the shapes are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """What is wrong with one value.

    Attributes:
        path: Where it stands, as a JSON pointer; empty: the document itself.
        reason: What is wrong, and what would be right.
    """

    path: str
    reason: str


Problems = Iterator[Problem]
Check = Callable[[Any, str], Problems]


def text(value: Any, path: str) -> Problems:
    """A string."""
    if not isinstance(value, str):
        yield Problem(path, f"must be a string, not {kind(value)}")


def whole(low: int, high: int) -> Check:
    """An integer between two numbers, both included."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, int) or isinstance(value, bool):
            yield Problem(path, f"must be an integer, not {kind(value)}")
        elif not low <= value <= high:
            yield Problem(path, f"must be between {low} and {high}, not {value}")

    return check


def pattern(expression: str, wanted: str) -> Check:
    """A string that an expression matches as a whole."""
    compiled = re.compile(expression)

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, str):
            yield Problem(path, f"must be {wanted}, not {kind(value)}")
        elif not compiled.fullmatch(value):
            yield Problem(path, f"must be {wanted}, not {shortened(value)}")

    return check


def fields(known: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """An object of known members, some of which must be there."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, dict):
            yield Problem(path, f"must be an object, not {kind(value)}")
            return
        for name in required:
            if name not in value:
                yield Problem(f"{path}/{escaped(name)}", "is missing")
        for name, member in value.items():
            place = f"{path}/{escaped(name)}"
            if name in known:
                yield from known[name](member, place)
            else:
                yield Problem(place, f"is not a field of this shape{_similar(name, known)}")

    return check


def some(known: Mapping[str, Check]) -> Check:
    """An object of which some members are known; others may be anything."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, dict):
            yield Problem(path, f"must be an object, not {kind(value)}")
            return
        for name, member in known.items():
            if name in value:
                yield from member(value[name], f"{path}/{escaped(name)}")

    return check


def every(member: Check) -> Check:
    """An array whose members pass a check."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, list):
            yield Problem(path, f"must be an array, not {kind(value)}")
            return
        for number, each in enumerate(value):
            yield from member(each, f"{path}/{number}")

    return check


def anything(value: Any, path: str) -> Problems:
    """Any value."""
    del value, path
    yield from ()


def an_object(value: Any, path: str) -> Problems:
    """An object of any members."""
    if not isinstance(value, dict):
        yield Problem(path, f"must be an object, not {kind(value)}")


HEX = "[0-9a-f]"
trace_id = pattern(f"(?!0*$){HEX}{{32}}", "32 lower-case hexadecimal digits, not all zero")
span_id = pattern(f"(?!0*$){HEX}{{16}}", "16 lower-case hexadecimal digits, not all zero")
count = whole(0, 2**32 - 1)
severity = whole(1, 24)


def kind(value: Any) -> str:
    """Return what a JSON value is, in a word."""
    if value is None:
        return "null"
    for kinds, word in ((bool, "a boolean"), (str, "a string"), (list, "an array"), (dict, "an object")):
        if isinstance(value, kinds):
            return word
    return "a number"


def shortened(value: str) -> str:
    """Return a value for a message: its beginning, controls escaped."""
    return repr(value if len(value) <= 40 else value[:40] + "...")


def escaped(name: str) -> str:
    """Return a name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _similar(name: str, known: Mapping[str, Check]) -> str:
    def plain(text: str) -> str:
        return text.replace("_", "").lower()

    meant = [each for each in known if plain(each) == plain(name)]
    return f"; did you mean {meant[0]}?" if meant else ""
