"""Any Python value becomes the bytes that a slow reference encoder makes, and those of the stock exporter."""

import logging
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as Encoded
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import fapilog
from fapilog.testing import ReceivedLogRecord
from fapilog.testing.decoding import decode_log_record
from tests.property import reference
from tests.property.conftest import NOW, Bench
from tests.property.examples import FEW
from tests.property.values import Text, common_values, ints, nested_deeply, texts, values, with_itself

RESERVED = {"exc_info", "event_name", "category", "severity", "tags", "timestamp"}
names = texts.filter(lambda name: name not in RESERVED)
# A record has room for 64 KiB; what is larger is another test's.
ROOM_BYTES = 60_000


def expected(body: Any, attributes: dict[Any, Any]) -> Encoded:
    """Build the record that the reference makes of a call of `info`."""
    return Encoded(
        time_unix_nano=NOW,
        observed_time_unix_nano=NOW,
        severity_number=9,
        severity_text="INFO",
        body=reference.any_value(body),
        attributes=reference.key_values(attributes.items()),
    )


def same(ours: Encoded, other: Encoded) -> bool:
    """Compare two records; by bytes, because NaN equals nothing."""
    return ours.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


@given(body=values, attributes=st.dictionaries(names, values, max_size=4))
@example(body=nested_deeply(nested_deeply([])), attributes={"deep": nested_deeply({"a": [{}]})})
@example(body=with_itself([]), attributes={"password": "hunter2", "apiKey": [1], "token_count": 1})
@example(
    body={"s.id": 1, "sid_2": 1, "session.id": 1},
    attributes={"PW": None, "pw_x": 1, "self": 2, "session_id": 3},
)
@FEW
def test_a_call_becomes_what_the_reference_makes_of_it(bench: Bench, body: Any, attributes: dict[str, Any]):
    wanted = expected(body, attributes)
    assume(wanted.ByteSize() < ROOM_BYTES)
    bench.log.info(body, **attributes)
    ours = bench.one()
    assert same(ours, wanted), f"{ours}\n---- expected\n{wanted}"


encodable = names.filter(lambda name: name == reference.text(name))


@given(attributes=st.dictionaries(encodable, values, max_size=4))
@FEW
def test_every_way_to_attach_attributes_encodes_them_alike(bench: Bench, attributes: dict[str, Any]):
    wanted = expected("x", attributes)
    assume(wanted.ByteSize() < ROOM_BYTES)
    bench.log.bind(**attributes).info("x")
    with fapilog.bind_context(**attributes):
        bench.log.info("x")
    bench.log.emit_record(
        body="x", severity_number=9, severity_text="INFO", time_unix_nano=NOW, attributes=attributes
    )
    bound, context, mapping = bench.take()
    assert [same(ours, wanted) for ours in (bound, context, mapping)] == [True, True, True]


def test_a_bound_key_with_a_lone_surrogate_is_escaped_as_that_of_a_call(bench: Bench):
    bench.log.bind(**{"a\ud800": 1}).info("x")
    assert same(bench.one(), expected("x", {"a\ud800": 1}))


def test_a_key_that_is_a_subclass_of_str_has_its_text_as_a_value_has(bench: Bench):
    bench.log.info({Text("key"): 1}, nested={Text("password"): "hunter2"})
    assert same(bench.one(), expected({"key": 1}, {"nested": {"password": "hunter2"}}))


@given(value=ints | texts | texts.map(Text), length=st.integers(0, 300))
@FEW
def test_a_list_of_any_length_is_encoded_whole(bench: Bench, value: Any, length: int):
    wanted = expected("x", {"many": [value] * length})
    assume(wanted.ByteSize() < ROOM_BYTES)
    bench.log.info("x", many=[value] * length)
    assert same(bench.one(), wanted)


contexts = st.builds(
    lambda trace_id, span_id, flags: set_span_in_context(
        NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags))),
        Context(),
    ),
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.integers(0, 1),
)
times = st.none() | st.integers(0, 2**63)


@given(
    timestamp=times,
    observed=st.integers(0, 2**63),
    context=contexts | st.just(Context()),
    severity_number=st.none() | st.sampled_from(list(SeverityNumber)),
    severity_text=st.none() | st.text(),
    body=common_values,
    attributes=st.none() | st.dictionaries(st.text(min_size=1), common_values, max_size=4),
    event_name=st.none() | st.text(),
)
@FEW
def test_an_otel_record_becomes_what_the_stock_exporter_makes_of_it(bench: Bench, **fields: Any):
    assume(not reference_changes(fields["body"], fields["attributes"]))
    fields["observed_timestamp"] = fields.pop("observed")
    record = LogRecord(**fields)
    stock = stock_encoding(record)
    bench.provider.get_logger("bench").emit(record)
    ours = bench.one()
    assert same(without_empty(ours), without_empty(stock)), f"{ours}\n---- stock\n{stock}"


def reference_changes(body: Any, attributes: dict[str, Any] | None) -> bool:
    """Tell whether redaction would change something: the stock exporter has none."""
    named = str(reference.key_values((attributes or {}).items())) + str(reference.any_value(body))
    return "REDACTED" in named


def stock_encoding(record: LogRecord) -> Encoded:
    readable = ReadableLogRecord(record, resource=Resource({}), instrumentation_scope=None)
    return encode_logs([readable]).resource_logs[0].scope_logs[0].log_records[0]


def without_empty(record: Encoded) -> Encoded:
    """Forget whether a missing value was sent as an empty message: receivers see no difference."""
    if record.body == AnyValue():
        record.ClearField("body")
    for pair in record.attributes:
        fill(pair)
    return record


def fill(pair: KeyValue) -> None:
    if not pair.HasField("value"):
        pair.value.SetInParent()
    for inner in pair.value.kvlist_value.values if pair.value.HasField("kvlist_value") else ():
        fill(inner)


def test_a_record_with_explicit_trace_ids_keeps_them(bench: Bench):
    record = LogRecord(trace_id=7, span_id=8, trace_flags=TraceFlags(1), body="x", observed_timestamp=1)
    bench.provider.get_logger("bench").emit(record)
    assert same(bench.one(), stock_encoding(record))


def test_logging_records_keep_name_time_level_message_and_extra(bench: Bench):
    from fapilog.bridges.stdlib import FapilogHandler

    record = logging.LogRecord("shop", logging.WARNING, "f.py", 3, "%s left", ("two",), None)
    record.created = 1_700_000_000.5
    record.item = {"tea"}
    FapilogHandler(bench.provider.handle).emit(record)
    assert decode_log_record(bench.encoded.pop()) == ReceivedLogRecord(
        time_unix_nano=1_700_000_000_500_000_000,
        observed_time_unix_nano=NOW,
        severity_number=13,
        severity_text="WARN",
        body="two left",
        attributes={"item": ["tea"]},
    )
