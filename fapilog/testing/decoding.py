"""Turns OTLP/HTTP request bodies into plain Python values that tests compare as whole structures."""

import importlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

# The Collector's own limit for a request body is 20 MiB; the stock Python exporter sends up to 64 MiB.
MAX_BODY_BYTES = 64 * 1024 * 1024


class BodyTooLargeError(ValueError):
    """The body, or what it unpacks to, is larger than the receiver's limit."""


class UnsupportedEncodingError(ValueError):
    """The content encoding of the body is none that this receiver can undo."""


@dataclass(frozen=True, kw_only=True)
class ReceivedLogRecord:
    """One OTLP log record as it arrived, with its scope and resource, in plain Python values.

    Every field has the default of its protobuf field, so a test names only what it expects to be set.

    Attributes:
        time_unix_nano: When it happened; 0 when not sent.
        observed_time_unix_nano: When the logging library saw it; 0 when not sent.
        severity_number: 1 to 24, or 0 when not sent.
        severity_text: The name of the severity as the application knows it.
        body: Any OTLP value: str, bool, int, float, bytes, list, dict; None when not sent.
        attributes: The record's attributes.
        dropped_attributes_count: How many attributes the sender left out.
        flags: The W3C trace flags, in the lowest eight bits.
        trace_id: 32 lower-case hex digits, or "" when not sent.
        span_id: 16 lower-case hex digits, or "" when not sent.
        event_name: The event's name, or "".
        scope_name: The name of the logger.
        scope_version: The version of the logger.
        scope_attributes: The attributes of the logger.
        resource: The attributes of the resource.
        repeated_keys: Keys that came twice in one map of this record, its scope or its resource. OTLP wants
            keys to be unique; a `dict` alone would hide that they were not.
    """

    time_unix_nano: int = 0
    observed_time_unix_nano: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)
    dropped_attributes_count: int = 0
    flags: int = 0
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""
    scope_name: str = ""
    scope_version: str = ""
    scope_attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    repeated_keys: tuple[str, ...] = ()


def decode_log_records(request: ExportLogsServiceRequest) -> list[ReceivedLogRecord]:
    """Answers the log records of a request, in the order in which they stand in it.

    Example:
        >>> request = ExportLogsServiceRequest()
        >>> record = request.resource_logs.add().scope_logs.add().log_records.add(severity_number=9)
        >>> record.body.string_value = "started"
        >>> [(received.severity_number, received.body) for received in decode_log_records(request)]
        [(9, 'started')]
    """
    return [
        _received(record, scope_logs, resource_logs)
        for resource_logs in request.resource_logs
        for scope_logs in resource_logs.scope_logs
        for record in scope_logs.log_records
    ]


def decode_log_record(record: bytes, scope_name: str = "") -> ReceivedLogRecord:
    """Answers one record from the bytes of an OTLP `LogRecord`, without a resource.

    Raises:
        google.protobuf.message.DecodeError: The bytes are no `LogRecord`.

    Example:
        >>> decode_log_record(LogRecord(severity_number=9).SerializeToString(), "orders").scope_name
        'orders'
    """
    scope_logs = ScopeLogs()
    scope_logs.scope.name = scope_name
    return _received(LogRecord.FromString(record), scope_logs, ResourceLogs())


def count_log_records(request: ExportLogsServiceRequest) -> int:
    """Answers how many log records a request holds, without decoding them."""
    return sum(
        len(scope_logs.log_records)
        for resource_logs in request.resource_logs
        for scope_logs in resource_logs.scope_logs
    )


def decode_value(value: AnyValue) -> Any:
    """Answers the Python value of an OTLP `AnyValue`; an empty one is None.

    Example:
        >>> decode_value(AnyValue(int_value=3))
        3
    """
    return _plain(value, [])


def decompress(body: bytes, content_encoding: str, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Undoes a `Content-Encoding`: identity, gzip, deflate, and zstd where available.

    Several gzip members or zstd frames in a row are one body. zstd needs Python 3.14 or `backports.zstd`.

    Raises:
        UnsupportedEncodingError: The encoding is another one, or zstd and no module for it is installed.
        BodyTooLargeError: The result is larger than `max_bytes`.
        ValueError: The body is not what the encoding says.

    Example:
        >>> import gzip
        >>> decompress(gzip.compress(b"abc") + gzip.compress(b"def"), "gzip")
        b'abcdef'
    """
    encoding = content_encoding.strip().lower() or "identity"
    new_decompressor, error_type = _decompression(encoding)
    try:
        # One byte more than allowed tells "too large" from "just fits", and bounds what a bomb can unpack to.
        unpacked = _unpack(body, new_decompressor, max_bytes + 1) if new_decompressor else body
    except (EOFError, error_type) as error:
        raise ValueError(f"the body is not valid {encoding}: {error}") from error
    if len(unpacked) > max_bytes:
        raise BodyTooLargeError(f"the body has more than {max_bytes} bytes, unpacked from {encoding}")
    return unpacked


def _decompression(encoding: str) -> tuple[Callable[[], Any] | None, type[Exception]]:
    """Answers what makes a decompressor for one stream, and the error that it raises."""
    match encoding:
        case "identity":
            return None, zlib.error
        case "gzip":
            return lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), zlib.error
        case "deflate":
            return zlib.decompressobj, zlib.error
        case "zstd":
            zstd = _import_zstd()
            return zstd.ZstdDecompressor, zstd.ZstdError
    raise UnsupportedEncodingError(f"content encoding {encoding!r} is not supported")


def _import_zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UnsupportedEncodingError("content encoding 'zstd' needs Python 3.14 or the backports.zstd package")


def _unpack(body: bytes, new_decompressor: Callable[[], Any], limit: int) -> bytes:
    unpacked = bytearray()
    while body and len(unpacked) < limit:
        decompressor = new_decompressor()
        unpacked += decompressor.decompress(body, limit - len(unpacked))
        if not decompressor.eof and len(unpacked) < limit:
            raise EOFError("it ends too early")
        body = decompressor.unused_data
    return bytes(unpacked)


def _received(record: LogRecord, scope_logs: ScopeLogs, resource_logs: ResourceLogs) -> ReceivedLogRecord:
    repeated: list[str] = []
    scope = scope_logs.scope
    return ReceivedLogRecord(
        time_unix_nano=record.time_unix_nano,
        observed_time_unix_nano=record.observed_time_unix_nano,
        severity_number=record.severity_number,
        severity_text=record.severity_text,
        body=_plain(record.body, repeated),
        attributes=_mapping(record.attributes, repeated),
        dropped_attributes_count=record.dropped_attributes_count,
        flags=record.flags,
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        event_name=record.event_name,
        scope_name=scope.name,
        scope_version=scope.version,
        scope_attributes=_mapping(scope.attributes, repeated),
        resource=_mapping(resource_logs.resource.attributes, repeated),
        repeated_keys=tuple(repeated),
    )


def _plain(value: AnyValue, repeated: list[str]) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_plain(item, repeated) for item in value.array_value.values]
        case "kvlist_value":
            return _mapping(value.kvlist_value.values, repeated)
        case _:
            return getattr(value, kind)


def _mapping(pairs: Iterable[KeyValue], repeated: list[str]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for pair in pairs:
        if pair.key in mapping:
            repeated.append(pair.key)
        mapping[pair.key] = _plain(pair.value, repeated)
    return mapping
