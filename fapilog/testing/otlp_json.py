"""OTLP/JSON as a receiver reads it and answers it: protobuf's own JSON mapping with OTLP's identifiers.

Reads with protobuf's classes and not with fapilog's encoder, so that a test of the encoder proves something.
"""

import base64
import json
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

JSON = "application/json"
# Hexadecimal in OTLP/JSON, where protobuf's mapping has base64.
_IDENTIFIERS = frozenset({"traceId", "spanId", "parentSpanId"})

M = TypeVar("M", bound=Message)


def read_message(text: bytes, kind: type[M]) -> M:
    """Answers the message that OTLP/JSON says; fields that nobody knows are passed over, as OTLP asks.

    Raises:
        ValueError: The text is no JSON, or not of this message.

    Example:
        >>> from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
        >>> read_message(b'{"severityNumber": 9, "spanId": "00f067aa0ba902b7"}', LogRecord).span_id.hex()
        '00f067aa0ba902b7'
    """
    document = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    if not isinstance(document, dict):
        raise ValueError("the JSON is not an object")
    try:
        return json_format.ParseDict(_with_base64(document), kind(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def write_message(message: Message | None) -> bytes:
    """Answers a message without identifiers as JSON; none is an empty object.

    Example:
        >>> write_message(None)
        b'{}'
    """
    fields = {} if message is None else json_format.MessageToDict(message)
    return json.dumps(fields).encode("utf-8")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON; a string holds it")


def _with_base64(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_base64(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(member)).decode("ascii")
        if name in _IDENTIFIERS and isinstance(member, str)
        else _with_base64(member)
        for name, member in value.items()
    }
