"""Lines of files as what stage 3 works on: JSON, OTLP/JSON, or text. Thread: any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from fapilog.redaction import otlp_json
from fapilog.values import valid_text


class Document(NamedTuple):
    """One line.

    Attributes:
        value: What the line holds; its text if it is no JSON.
        is_json: Whether it is JSON.
        is_exact: Whether the text holds nothing that `value` does not: no name stands twice in one object.
    """

    value: Any
    is_json: bool
    is_exact: bool = True


def read(line: str) -> Document:
    """Read one line.

    Example:
        >>> read('{"a": 1}').value, read("a=1").is_json, read('{"a": 1, "a": 2}').is_exact
        ({'a': 1}, False, False)
    """
    exact = True

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal exact
        made = dict(found)
        exact = exact and len(made) == len(found)
        return made

    try:
        value = json.loads(line, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return Document(line, is_json=False)
    return Document(value, is_json=True, is_exact=exact)


def is_otlp(value: Any) -> bool:
    """Tell whether a document is a request of OTLP/JSON."""
    return isinstance(value, dict) and any(isinstance(value.get(name), list) for name in otlp_json.ROOTS)


def rewritten(value: Any, attributes: otlp_json.Rewrite, text: otlp_json.Retext) -> Any:
    """Return a document in which `attributes` rewrote every mapping, and `text` what stands alone."""

    def mapping(given: dict[str, Any]) -> dict[str, Any]:
        return {key: _restored(given.get(key), left) for key, left in attributes(given).items()}

    if is_otlp(value):
        others = mapping({name: member for name, member in value.items() if name not in otlp_json.ROOTS})
        roots = {name: member for name, member in value.items() if name in otlp_json.ROOTS}
        return {name: otlp_json.rewritten(member, mapping, text) for name, member in roots.items()} | others
    if isinstance(value, dict):
        return mapping(value)
    if isinstance(value, str):
        return _restored(value, text(value))
    return next(iter(mapping({"value": value}).values()), None)


def _restored(before: Any, after: Any) -> Any:
    """Return what is left; long integers and half characters, which records hold as texts, as they were."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: _restored(before.get(key), left) for key, left in after.items()}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_restored(*both) for both in zip(before, after, strict=True)]
    if isinstance(after, str) and isinstance(before, (int, str)):
        return before if after == (valid_text(before) if isinstance(before, str) else str(before)) else after
    return after


def parts(value: Any) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield what a document holds: texts and mappings, each with what its path begins with."""
    if is_otlp(value):
        yield "", {name: member for name, member in value.items() if name not in otlp_json.ROOTS}
        for name in otlp_json.ROOTS:
            yield from otlp_json.parts(value.get(name, []))
    elif isinstance(value, dict):
        yield "", value
    elif isinstance(value, str):
        yield "text", value
    else:
        yield "", {"value": value}
