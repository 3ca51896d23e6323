"""OTLP/JSON log requests, as the specification spells them, for `fapilog validate`.

The JSON mapping of protobuf with OTLP's own rules: ids are hexadecimal, enums are numbers, names are
lowerCamelCase.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from fapilog.cli.shape_checks import (
    Check,
    Problem,
    Problems,
    count,
    every,
    fields,
    kind,
    pattern,
    text,
    whole,
)

_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**64)
_MOST_DEPTH = 64


def otlp(document: Any, path: str) -> Problems:
    """One `ExportLogsServiceRequest` or `LogsData`."""
    yield from _request(document, path)


def _integer(among: range, wanted: str) -> Check:
    def check(value: Any, path: str) -> Problems:
        is_text = isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii()
        if isinstance(value, bool) or not (is_text or isinstance(value, int)):
            yield Problem(path, f"must be {wanted}, not {kind(value)}")
        elif len(str(value)) > 20 or int(value) not in among:
            yield Problem(path, f"must be {wanted}: the number is out of range")

    return check


def _double(value: Any, path: str) -> Problems:
    if isinstance(value, bool) or not (
        isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity")
    ):
        yield Problem(path, 'must be a number, "NaN", "Infinity" or "-Infinity"')


def _boolean(value: Any, path: str) -> Problems:
    if not isinstance(value, bool):
        yield Problem(path, f"must be true or false, not {kind(value)}")


def _bytes(value: Any, path: str) -> Problems:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        yield Problem(path, "must be base64 in a string")


def _values(value: Any, path: str) -> Problems:
    yield from fields({"values": every(_any)})(value, path)


def _entries(value: Any, path: str) -> Problems:
    yield from fields({"values": _attributes})(value, path)


_KINDS: dict[str, Check] = {
    "stringValue": text,
    "boolValue": _boolean,
    "intValue": _integer(_INT64, "a 64-bit integer, best in a string"),
    "doubleValue": _double,
    "bytesValue": _bytes,
    "arrayValue": _values,
    "kvlistValue": _entries,
}


def _any(value: Any, path: str) -> Problems:
    if path.count("/values/") > _MOST_DEPTH:
        yield Problem(path, f"is nested deeper than {_MOST_DEPTH} arrays and maps")
        return
    yield from fields(_KINDS)(value, path)
    if isinstance(value, dict) and len(value) > 1:
        yield Problem(path, "must have one kind of value: " + ", ".join(sorted(value)))


def _attributes(value: Any, path: str) -> Problems:
    yield from every(fields({"key": text, "value": _any}, required=("key", "value")))(value, path)
    seen: set[str] = set()
    for number, entry in enumerate(value if isinstance(value, list) else ()):
        key = entry.get("key") if isinstance(entry, dict) else None
        if isinstance(key, str):
            if key in seen:
                yield Problem(f"{path}/{number}/key", f"occurs twice: {key[:80]!r}")
            seen.add(key)


_nanos = _integer(_UINT64, "nanoseconds since 1970 in a string")
_record = fields(
    {
        "timeUnixNano": _nanos,
        "observedTimeUnixNano": _nanos,
        "severityNumber": whole(0, 24),
        "severityText": text,
        "body": _any,
        "attributes": _attributes,
        "droppedAttributesCount": count,
        "flags": count,
        "traceId": pattern("([0-9a-fA-F]{32})?", "32 hexadecimal digits or empty"),
        "spanId": pattern("([0-9a-fA-F]{16})?", "16 hexadecimal digits or empty"),
        "eventName": text,
    }
)
_scope = fields({"name": text, "version": text, "attributes": _attributes, "droppedAttributesCount": count})
_scope_logs = fields({"scope": _scope, "logRecords": every(_record), "schemaUrl": text})
_resource = fields({"attributes": _attributes, "droppedAttributesCount": count})
_resource_logs = fields({"resource": _resource, "scopeLogs": every(_scope_logs), "schemaUrl": text})
_request = fields({"resourceLogs": every(_resource_logs)}, required=("resourceLogs",))
