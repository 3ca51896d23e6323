"""Lines of files as what stage 3 works on: JSON, OTLP/JSON, or text. Thread: any."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

# What makes a document one of OTLP/JSON, and where its records are.
_OTLP = ("resourceLogs", "resourceSpans", "resourceMetrics")
_SCOPES = ("scopeLogs", "scopeSpans", "scopeMetrics")
# Names of attributes lists in OTLP, and what their paths begin with.
_ATTRIBUTES = ("attributes", "filteredAttributes")
# Texts of OTLP that an application chose.
_TEXTS = frozenset({"name", "eventName", "severityText", "message", "description", "version", "traceState"})
_VALUES = ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")

Rewrite = Callable[[dict[str, Any]], Mapping[str, Any]]
Retext = Callable[[str], str]


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
    return isinstance(value, dict) and any(isinstance(value.get(name), list) for name in _OTLP)


def rewritten(value: Any, attributes: Rewrite, text: Retext) -> Any:
    """Return a document in which `attributes` rewrote every mapping, and `text` what stands alone."""
    if is_otlp(value):
        return _otlp(value, attributes, text)
    if isinstance(value, dict):
        return dict(attributes(value))
    if isinstance(value, str):
        return text(value)
    return next(iter(attributes({"value": value}).values()))


def parts(value: Any) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield what a document holds: texts and mappings, each with what its path begins with."""
    if is_otlp(value):
        yield from _otlp_parts(value)
    elif isinstance(value, dict):
        yield "", value
    elif isinstance(value, str):
        yield "text", value
    else:
        yield "", {"value": value}


def _otlp(value: Any, attributes: Rewrite, text: Retext) -> Any:
    if isinstance(value, list):
        return [_otlp(member, attributes, text) for member in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for name, member in value.items():
        if name in _ATTRIBUTES and isinstance(member, list):
            out[name] = [pair for each in member for pair in _pairs(attributes(_of_pairs([each])))]
        elif name == "body" and isinstance(member, dict):
            out[name] = _body(member, attributes, text)
        elif name in _TEXTS and isinstance(member, str):
            out[name] = text(member)
        else:
            out[name] = _otlp(member, attributes, text)
    return out


def _body(value: dict[str, Any], attributes: Rewrite, text: Retext) -> dict[str, Any]:
    body = plain(value)
    if isinstance(body, str) and "stringValue" in value:
        return {"stringValue": text(body)}
    if isinstance(body, dict):
        return any_value(dict(attributes(body)))
    left = attributes({"body": body})
    return any_value(next(iter(left.values()), None))


def _otlp_parts(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any] | str]]:
    if isinstance(value, list):
        for member in value:
            yield from _otlp_parts(member, place)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in _ATTRIBUTES and isinstance(member, list):
                yield place or "attributes", _of_pairs(member)
            elif name == "body" and isinstance(member, dict):
                body = plain(member)
                yield "body", body if isinstance(body, (str, dict)) else {"body": body}
            elif name in _TEXTS and isinstance(member, str):
                yield f"{place}.{name}" if place else name, member
            else:
                yield from _otlp_parts(member, name if name in ("resource", "scope") else "")


def _of_pairs(pairs: list[Any]) -> dict[str, Any]:
    return {
        str(pair.get("key", "")): plain(pair.get("value") or {}) for pair in pairs if isinstance(pair, dict)
    }


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def plain(value: Mapping[str, Any]) -> Any:
    """Return the value of an `AnyValue` of OTLP/JSON; one that cannot be read is its text.

    Example:
        >>> plain({"arrayValue": {"values": [{"intValue": "3"}, {"stringValue": "a"}]}})
        [3, 'a']
    """
    kind = next((name for name in _VALUES if name in value), None)
    held = value.get(kind) if kind else None
    try:
        match kind:
            case None:
                return None if not value else json.dumps(value)
            case "intValue":
                return int(str(held))
            case "doubleValue":
                return float(str(held))
            case "bytesValue":
                return base64.b64decode(str(held), validate=True)
            case "arrayValue":
                return [plain(member) for member in (held or {}).get("values", ())]
            case "kvlistValue":
                return _of_pairs((held or {}).get("values", []))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return json.dumps(held)
    return held


def any_value(value: Any) -> dict[str, Any]:
    """Return a value as an `AnyValue` of OTLP/JSON.

    Example:
        >>> any_value([3, "a"])
        {'arrayValue': {'values': [{'intValue': '3'}, {'stringValue': 'a'}]}}
    """
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode("ascii")}
        case list() | tuple():
            return {"arrayValue": {"values": [any_value(member) for member in value]}}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": str(value)}
