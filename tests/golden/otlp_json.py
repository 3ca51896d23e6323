"""OTLP/JSON of a log record: what the specification asks of it where it differs from protobuf's own JSON."""

import base64
import math
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


def record_json(record: LogRecord) -> dict[str, Any]:
    """Return a record as OTLP/JSON: ids in hexadecimal, 64-bit integers as text, absent fields left out."""
    fields: dict[str, Any] = {
        "timeUnixNano": str(record.time_unix_nano) if record.time_unix_nano else None,
        "observedTimeUnixNano": str(record.observed_time_unix_nano)
        if record.observed_time_unix_nano
        else None,
        "severityNumber": int(record.severity_number) or None,
        "severityText": record.severity_text or None,
        "body": value_json(record.body) if record.HasField("body") else None,
        "attributes": [pair_json(pair) for pair in record.attributes] or None,
        "droppedAttributesCount": record.dropped_attributes_count or None,
        "flags": record.flags or None,
        "traceId": record.trace_id.hex() or None,
        "spanId": record.span_id.hex() or None,
        "eventName": record.event_name or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def pair_json(pair: KeyValue) -> dict[str, Any]:
    return {"key": pair.key, "value": value_json(pair.value)}


def value_json(value: AnyValue) -> dict[str, Any]:
    match value.WhichOneof("value"):
        case None:
            return {}
        case "string_value":
            return {"stringValue": value.string_value}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            return {"doubleValue": double_json(value.double_value)}
        case "bytes_value":
            return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
        case "array_value":
            return {"arrayValue": {"values": [value_json(item) for item in value.array_value.values]}}
        case _:
            return {"kvlistValue": {"values": [pair_json(pair) for pair in value.kvlist_value.values]}}


def double_json(number: float) -> float | str:
    """JSON has no NaN and no infinities; protobuf's mapping writes their names."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number
