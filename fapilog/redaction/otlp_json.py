"""OTLP/JSON as what stage 3 works on: attributes, bodies and texts; what is no OTLP in it is plain JSON.

Thread: any.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# What makes a document one of OTLP/JSON, and where its records are.
ROOTS = ("resourceLogs", "resourceSpans", "resourceMetrics")
_SCOPES = ("scopeLogs", "scopeSpans", "scopeMetrics")
# Names of attributes lists in OTLP, and what their paths begin with.
_ATTRIBUTES = ("attributes", "filteredAttributes", "metadata")
# Texts of OTLP that an application chose.
_TEXTS = frozenset(
    {
        "name",
        "eventName",
        "severityText",
        "message",
        "description",
        "version",
        "traceState",
        "unit",
        "schemaUrl",
    }
)
# Objects and lists of OTLP that are walked through; members that hold numbers, times and ids of the protocol.
_STRUCTURE = frozenset(
    {
        *ROOTS,
        *_SCOPES,
        "resource",
        "scope",
        "logRecords",
        "spans",
        "events",
        "links",
        "status",
        "metrics",
        "gauge",
        "sum",
        "histogram",
        "exponentialHistogram",
        "summary",
        "dataPoints",
        "exemplars",
        "positive",
        "negative",
        "quantileValues",
    }
)
_NUMBERS = frozenset(
    {
        "severityNumber",
        "flags",
        "droppedAttributesCount",
        "droppedEventsCount",
        "droppedLinksCount",
        "kind",
        "code",
        "aggregationTemporality",
        "isMonotonic",
        "asInt",
        "asDouble",
        "count",
        "sum",
        "min",
        "max",
        "scale",
        "offset",
        "zeroCount",
        "zeroThreshold",
        "bucketCounts",
        "explicitBounds",
        "quantile",
        "value",
    }
)
_TIMES = frozenset({"timeUnixNano", "observedTimeUnixNano", "startTimeUnixNano", "endTimeUnixNano"})
_IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
# The longest number of the protocol: 64 bits, as a text.
_DIGITS = re.compile(r"-?[0-9]{1,20}|[A-Z][A-Z_0-9]*|NaN|-?Infinity")
_HEX = re.compile(r"[0-9a-fA-F]*")
_UNREADABLE = {"stringValue": "[REDACTED:unscanned]"}
_VALUES = ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")

Rewrite = Callable[[dict[str, Any]], Mapping[str, Any]]
Retext = Callable[[str], str]


def rewritten(value: Any, attributes: Rewrite, text: Retext) -> Any:
    """Return what a root holds; `attributes` rewrote attributes and what is no OTLP, `text` texts."""
    if isinstance(value, list):
        return [rewritten(member, attributes, text) for member in value]
    if not isinstance(value, dict):
        return next(iter(attributes({"value": value}).values()), None)
    out: dict[str, Any] = {}
    for name, member in value.items():
        if name in _ATTRIBUTES and isinstance(member, list):
            out[name] = [left for each in member for left in _pair(each, attributes)]
        elif name == "body":
            out[name] = _body(member, attributes, text) if is_any_value(member) else dict(_UNREADABLE)
        elif name in _TEXTS and isinstance(member, str):
            out[name] = text(member)
        elif name in _STRUCTURE and isinstance(member, (list, dict)):
            out[name] = rewritten(member, attributes, text)
        elif _is_protocol(name, member):
            out[name] = _number(member, text) if name in _NUMBERS else member
        else:
            out.update(attributes({name: member}))
    return out


def _is_protocol(name: str, member: Any) -> bool:
    """Tell whether a member is a number, a time or an id of the protocol, as its name says."""
    if name in _IDS:
        return isinstance(member, str) and len(member) in (0, _IDS[name]) and bool(_HEX.fullmatch(member))
    if isinstance(member, list):
        return name in _NUMBERS and not any(isinstance(each, (list, dict)) for each in member)
    if isinstance(member, str) and not _DIGITS.fullmatch(member):
        return False
    return name in _NUMBERS | _TIMES and not isinstance(member, dict)


def _number(member: Any, text: Retext) -> Any:
    if isinstance(member, list):
        return [_number(each, text) for each in member]
    left = text(str(member))
    return member if left == str(member) else left


def _pair(pair: Any, attributes: Rewrite) -> list[dict[str, Any]]:
    if not is_pair(pair):
        key = pair.get("key") if isinstance(pair, dict) else None
        names = attributes({key: None}) if isinstance(key, str) else [""]
        return [{"key": name, "value": dict(_UNREADABLE)} for name in names]
    before = _of_pairs([pair])
    left = dict(attributes(before))
    return [pair] if left == before else _pairs(left)


def _body(value: dict[str, Any], attributes: Rewrite, text: Retext) -> dict[str, Any]:
    body = plain(value)
    left: Any
    if isinstance(body, str):
        left = text(body)
    elif isinstance(body, dict):
        left = dict(attributes(body))
    else:
        left = next(iter(attributes({"body": body}).values()), None)
    return value if left == body else any_value(left)


def parts(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield texts and mappings of what a root holds, each with what its path begins with."""
    if isinstance(value, list):
        for member in value:
            yield from parts(member, place)
    elif not isinstance(value, dict):
        yield place, {"value": value}
    else:
        for name, member in value.items():
            if name in _ATTRIBUTES and isinstance(member, list):
                yield place or "attributes", _of_pairs(list(filter(is_pair, member)))
            elif name == "body":
                body = plain(member) if is_any_value(member) else None
                yield "body", body if isinstance(body, (str, dict)) else {"body": body}
            elif name in _TEXTS and isinstance(member, str):
                yield f"{place}.{name}" if place else name, member
            elif name in _STRUCTURE and isinstance(member, (list, dict)):
                yield from parts(member, name if name in ("resource", "scope") else "")
            elif not _is_protocol(name, member):
                yield place, {name: member}
            elif name in _NUMBERS:
                yield f"{place}.{name}" if place else name, str(member)


def is_any_value(value: Any) -> bool:
    """Tell whether something is an `AnyValue` of OTLP/JSON, as deep as it goes, and nothing else.

    Example:
        >>> is_any_value({"stringValue": "a"}), is_any_value({"stringValue": "a", "b": 1}), is_any_value("a")
        (True, False, False)
    """
    if not isinstance(value, dict) or len(value) > 1 or not set(value) <= set(_VALUES):
        return False
    for kind, held in value.items():
        members = held.get("values", []) if isinstance(held, dict) and set(held) <= {"values"} else None
        if kind == "arrayValue":
            return isinstance(members, list) and all(map(is_any_value, members))
        if kind == "kvlistValue":
            return isinstance(members, list) and all(map(is_pair, members))
        return not isinstance(held, (dict, list))
    return True


def is_pair(pair: Any) -> bool:
    """Tell whether something is a `KeyValue` of OTLP/JSON and nothing else."""
    return (
        isinstance(pair, dict)
        and set(pair) <= {"key", "value"}
        and isinstance(pair.get("key", ""), str)
        and is_any_value(pair.get("value", {}))
    )


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
