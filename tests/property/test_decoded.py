"""The native readers say of encoded records what protobuf's own classes say, and no bytes make them raise."""

import math
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from fapilog import _native

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
uint64 = st.integers(0, 2**64 - 1)
uint32 = st.integers(0, 2**32 - 1)


def pairs_of(values: st.SearchStrategy[AnyValue], max_size: int = 4) -> st.SearchStrategy[list[KeyValue]]:
    keys = st.sampled_from(["a", "b", "http.status"]) | texts
    return st.lists(st.builds(KeyValue, key=keys, value=values), max_size=max_size)


leaves = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats()),
    st.builds(AnyValue, bytes_value=st.binary(max_size=12)),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=4))),
        st.builds(AnyValue, kvlist_value=st.builds(KeyValueList, values=pairs_of(inner))),
    ),
    max_leaves=12,
)
records = st.builds(
    LogRecord,
    time_unix_nano=uint64,
    observed_time_unix_nano=uint64,
    severity_number=st.integers(0, 24),
    severity_text=texts,
    body=st.none() | values,
    attributes=pairs_of(values),
    dropped_attributes_count=uint32,
    flags=uint32,
    trace_id=st.binary(max_size=17) | st.binary(min_size=16, max_size=16),
    span_id=st.binary(max_size=9) | st.binary(min_size=8, max_size=8),
    event_name=texts,
)


@st.composite
def requests(draw: st.DrawFn) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        logs = request.resource_logs.add(schema_url=draw(texts))
        logs.resource.attributes.extend(draw(pairs_of(values, 2)))
        for _ in range(draw(st.integers(0, 2))):
            scope_logs = logs.scope_logs.add(
                schema_url=draw(texts), log_records=draw(st.lists(records, max_size=2))
            )
            scope_logs.scope.name, scope_logs.scope.version = draw(texts), draw(texts)
            scope_logs.scope.attributes.extend(draw(pairs_of(values, 2)))
    return request


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
        plain(record.body),
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


class Exactly:
    """Equal only to a value of the same type at every depth; NaN equals NaN, and -0.0 is not 0.0."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        mine = self.value
        if type(mine) is not type(other):
            return False
        if isinstance(mine, float) and isinstance(other, float):
            return (math.isnan(mine) and math.isnan(other)) or mine.hex() == other.hex()
        if isinstance(mine, dict) and isinstance(other, dict):
            return mine.keys() == other.keys() and all(Exactly(mine[key]) == other[key] for key in mine)
        if isinstance(mine, list | tuple) and isinstance(other, list | tuple):
            return len(mine) == len(other) and all(map(Exactly.__eq__, map(Exactly, mine), other))
        return bool(mine == other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.value)


@given(record=records)
@settings(deadline=None)
def test_a_record_reads_as_protobuf_reads_it(record: LogRecord):
    assert Exactly(fields(record)) == _native.decode_record(record.SerializeToString())


@given(request=requests())
@settings(deadline=None)
def test_a_request_reads_as_protobuf_reads_it(request: ExportLogsServiceRequest):
    expected = [resource(logs) for logs in request.resource_logs]
    assert Exactly(expected) == _native.decode_request(request.SerializeToString())


@given(junk=st.binary(max_size=200))
@example(junk=b"\x0a\x02\x12\xff")
@settings(deadline=None)
def test_no_bytes_make_a_reader_raise(junk: bytes):
    assert len(_native.decode_record(junk)) == 11
    assert isinstance(_native.decode_request(junk), list)


@given(record=records, data=st.data())
@settings(deadline=None)
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
