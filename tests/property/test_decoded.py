"""The native readers say of encoded records what protobuf's own classes say, and no bytes make them raise."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from fapilog import _native
from tests.property.examples import FEW
from tests.property.otlp import Exactly, records, requests


def plain(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return tuple(plain(member) for member in value.array_value.values)
        case "kvlist_value":
            return mapping(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)


def body(value: AnyValue) -> Any:
    """Arrays of a body are lists, at every depth; those of attributes are tuples."""

    def as_lists(plain_value: Any) -> Any:
        if isinstance(plain_value, tuple):
            return [as_lists(member) for member in plain_value]
        if isinstance(plain_value, dict):
            return {key: as_lists(member) for key, member in plain_value.items()}
        return plain_value

    return as_lists(plain(value))


def mapping(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Of a repeated key the first value counts."""
    return {pair.key: plain(pair.value) for pair in reversed(list(pairs))}


def identifier(raw: bytes, length: int) -> int:
    return int.from_bytes(raw) if len(raw) == length else 0


def fields(record: LogRecord) -> tuple[Any, ...]:
    return (
        record.time_unix_nano,
        record.observed_time_unix_nano,
        record.severity_number,
        record.severity_text,
        body(record.body),
        mapping(record.attributes),
        record.dropped_attributes_count,
        identifier(record.trace_id, 16),
        identifier(record.span_id, 8),
        record.flags & 0xFF,
        record.event_name,
    )


def scope(logs: ScopeLogs) -> tuple[Any, ...]:
    identity = (logs.scope.name, logs.scope.version, logs.schema_url, mapping(logs.scope.attributes))
    return identity, [fields(record) for record in logs.log_records]


def resource(logs: ResourceLogs) -> tuple[Any, ...]:
    scopes = [scope(scope_logs) for scope_logs in logs.scope_logs]
    return mapping(logs.resource.attributes), logs.schema_url, scopes


@given(record=records)
@FEW
def test_a_record_reads_as_protobuf_reads_it(record: LogRecord):
    assert Exactly(fields(record)) == _native.decode_record(record.SerializeToString())


@given(request=requests())
@FEW
def test_a_request_reads_as_protobuf_reads_it(request: ExportLogsServiceRequest):
    expected = [resource(logs) for logs in request.resource_logs]
    assert Exactly(expected) == _native.decode_request(request.SerializeToString())


@given(junk=st.binary(max_size=200))
@example(junk=b"\x0a\x02\x12\xff")
@FEW
def test_no_bytes_make_a_reader_raise(junk: bytes):
    assert len(_native.decode_record(junk)) == 11
    assert isinstance(_native.decode_request(junk), list)


@given(record=records, data=st.data())
@FEW
def test_of_a_torn_record_everything_before_the_tear_is_read(record: LogRecord, data: st.DataObject):
    whole = record.SerializeToString()
    torn = whole[: data.draw(st.integers(0, len(whole)))]
    decoded = _native.decode_record(torn)
    try:
        expected = fields(LogRecord.FromString(torn))
    except DecodeError:
        assert decoded[0] in (0, record.time_unix_nano)
        return
    assert Exactly(expected) == decoded


def test_text_that_is_not_utf_8_loses_nothing_as_a_value():
    body = b"\x2a\x04\x0a\x02a\xff"
    attribute = b"\x32\x07\x0a\x01k\x12\x02\x3a\x00"
    decoded = _native.decode_record(body + attribute + b"\x1a\x02E\xff")
    assert (decoded[3], decoded[4], decoded[5]) == ("E", b"a\xff", {"k": b""})


def field(tag: int, message: bytes) -> bytes:
    """One length-delimited field; protobuf's Python classes do not nest this deep themselves."""
    length = len(message)
    prefix = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([tag]) + prefix + message


def test_containers_beyond_the_depth_limit_have_no_value():
    value = field(0x0A, b"core")
    for _ in range(65):
        value = field(0x2A, field(0x0A, value))
    body = _native.decode_record(field(0x2A, value))[4]
    for _ in range(64):
        [body] = body
    assert body is None
