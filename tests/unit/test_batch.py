"""`LogBatch`: lazy, whole, and the same records that a stock pipeline would hand over."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import LogBatch, LoggerProvider, Settings, _native
from fapilog import batch as batch_module

RESOURCE = Resource({"service.name": "shop"}, "https://example.org/resource")


@pytest.fixture(scope="module")
def provider():
    with LoggerProvider(RESOURCE, settings=Settings.load(environ={}), exporters=["none"]) as running:
        yield running


def stock_records() -> list[ReadableLogRecord]:
    """What the SDK hands to an exporter."""
    exporter = InMemoryLogRecordExporter()
    provider = SdkLoggerProvider(RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    span = trace.NonRecordingSpan(trace.SpanContext(2**100 + 7, 2**60 + 7, False, trace.TraceFlags(1)))
    orders = provider.get_logger("orders", "1.2", "https://example.org/scope", {"team": "a"})
    plain = provider.get_logger("plain")
    orders.emit(
        timestamp=1_700_000_000_000_000_001,
        observed_timestamp=1_700_000_000_000_000_002,
        context=trace.set_span_in_context(span),
        severity_number=SeverityNumber.WARN2,
        severity_text="WARN2",
        body={"text": "ü", "parts": [1, 2.5, None, True, b"\x00"]},
        attributes={"user": "ada", "n": -1, "ratio": 0.5, "flag": True, "tags": ["a", "b"]},
        event_name="orders.placed",
    )
    orders.emit(observed_timestamp=5, body="second")
    plain.emit(observed_timestamp=6, severity_number=SeverityNumber.FATAL4, attributes={"k": ""})
    return list(exporter.get_finished_logs())


def parsed(request: bytes) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(request)


class Block:
    """A sealed block that counts how often it is asked for its bytes."""

    sequence, raw_bytes, encoding = 3, 0, ""

    def __init__(self, request: bytes, records: int) -> None:
        self.body = request
        self.records = records
        self.asked = 0

    def otlp_bytes(self) -> bytes:
        self.asked += 1
        return self.body


def fields(record: ReadableLogRecord) -> dict[str, Any]:
    """Everything an exporter can read, without the context."""
    log = record.log_record
    return {
        name: getattr(log, name)
        for name in (
            "timestamp",
            "observed_timestamp",
            "trace_id",
            "span_id",
            "trace_flags",
            "severity_text",
            "severity_number",
            "body",
            "event_name",
        )
    } | {
        "attributes": dict(log.attributes or {}),
        "resource": record.resource,
        "scope": record.instrumentation_scope,
        "dropped": record.dropped_attributes,
    }


def tupled(value: Any) -> Any:
    """Arrays as tuples: the SDK leaves lists in bodies as they are."""
    if isinstance(value, (list, tuple)):
        return tuple(tupled(item) for item in value)
    return {key: tupled(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_a_batch_holds_what_a_stock_exporter_would_get(provider):
    stock = stock_records()
    batch = LogBatch.from_records(stock, provider.pipeline)
    assert [tupled(fields(record)) for record in batch] == [tupled(fields(record)) for record in stock]


def test_a_decoded_record_has_every_attribute_that_the_constructor_gives(provider):
    (record,) = LogBatch.from_records(stock_records()[:1], provider.pipeline)
    assert vars(record.log_record).keys() == vars(LogRecord()).keys()
    assert vars(record).keys() == vars(ReadableLogRecord(LogRecord(), RESOURCE)).keys()


def test_the_stock_encoder_reads_a_batch_back_into_the_same_request(provider):
    stock = stock_records()
    batch = LogBatch.from_records(stock, provider.pipeline)
    assert parsed(batch.otlp_bytes()) == encode_logs(stock)
    assert encode_logs(batch) == encode_logs(stock)


def test_length_and_bytes_decode_nothing_and_records_decode_once(provider, monkeypatch):
    request = provider.pipeline.encode([])
    request = LogBatch.from_records(stock_records(), provider.pipeline).otlp_bytes()
    decoded = []
    real = batch_module.record_builder
    noting = SimpleNamespace(decode=lambda each: decoded.append(each) or real.decode(each))
    monkeypatch.setattr(batch_module, "record_builder", noting)
    block = Block(request, 3)
    batch = LogBatch(block)
    assert (len(batch), batch.otlp_bytes(), batch.decoded, decoded) == (3, request, False, [])
    assert (batch[0], list(batch)[2], batch[1:]) == (batch[0], batch[-1], tuple(batch)[1:])
    assert (batch.decoded, decoded, block.asked) == (True, [request], 1)


def test_resource_and_scope_are_shared(provider):
    batch = LogBatch.from_records(stock_records(), provider.pipeline)
    assert batch.resource == RESOURCE
    assert [scope.name for scope in batch.scopes] == ["orders", "plain"]
    assert {id(record.resource) for record in batch} == {id(batch.resource)}
    assert batch[0].instrumentation_scope is batch[1].instrumentation_scope is batch.scopes[0]


def test_a_record_without_a_span_has_none_although_one_is_current_where_it_is_decoded(provider):
    request = LogBatch.from_records(stock_records()[1:2], provider.pipeline).otlp_bytes()
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, False))
    with trace.use_span(span):
        (record,) = LogBatch(request)
    assert (record.log_record.trace_id, record.log_record.span_id) == (0, 0)


def test_attributes_that_a_limit_dropped_stay_counted(provider):
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(dropped_attributes_count=7)
    record.attributes.add(key="kept").value.string_value = "yes"
    batch = LogBatch(request.SerializeToString())
    assert (batch[0].dropped_attributes, dict(batch[0].log_record.attributes)) == (7, {"kept": "yes"})
    again = LogBatch.from_records(batch, provider.pipeline)
    assert again[0].dropped_attributes == 7


def test_records_are_redacted_again(provider):
    record = ReadableLogRecord(
        LogRecord(observed_timestamp=1, context=Context(), body="hi", attributes={"password": "hunter2"}),
        RESOURCE,
    )
    (after,) = LogBatch.from_records([record], provider.pipeline)
    assert "hunter2" not in str(dict(after.log_record.attributes))


def test_a_batch_takes_other_forms(provider):
    batch = LogBatch.from_records(stock_records(), provider.pipeline)
    assert b'"resourceLogs"' in batch.encode("otlp_json")
    assert len(batch.encode("json").splitlines()) == 3
    with pytest.raises(ValueError, match="xml"):
        batch.encode("xml")  # type: ignore[arg-type]


def test_an_empty_batch_is_empty(provider):
    batch = LogBatch.from_records([], provider.pipeline)
    assert (len(batch), list(batch), batch.resource, batch.scopes) == (0, [], Resource({}), ())


def test_untouched_forgets_what_was_done_to_the_records(provider):
    batch = LogBatch.from_records(stock_records(), provider.pipeline)
    assert batch.untouched() is batch
    batch[1].log_record.body = "changed"
    assert (batch[1].log_record.body, batch.untouched()[1].log_record.body) == ("changed", "second")


def test_records_of_several_resources_and_no_scope_keep_theirs(provider):
    bare = LogRecord(observed_timestamp=1, context=Context(), body="bare")
    records = [
        ReadableLogRecord(bare, Resource({"a": 1}), None),
        ReadableLogRecord(bare, Resource({"a": 2}), InstrumentationScope("s")),
    ]
    batch = LogBatch.from_records(records, provider.pipeline)
    assert [(record.resource.attributes["a"], record.instrumentation_scope.name) for record in batch] == [
        (1, ""),
        (2, "s"),
    ]
    assert repr(batch) == "<LogBatch of 2 records>"


def plain(batch: LogBatch) -> list[tuple[Any, ...]]:
    """The records of a batch as `_native.decode_request` gives them."""
    return [
        (
            log.timestamp or 0,
            log.observed_timestamp,
            getattr(log.severity_number, "value", 0),
            log.severity_text or "",
            log.body,
            dict(log.attributes),
            record.dropped_attributes,
            log.trace_id,
            log.span_id,
            int(log.trace_flags),
            log.event_name or "",
        )
        for record in batch
        for log in [record.log_record]
    ]


def in_trace(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """A span's id says nothing without its trace's: a batch leaves both out, the plain decoder only one."""
    trace_id, span_id = record[7:9]
    return (*record[:7], trace_id, span_id if trace_id else 0, *record[9:])


@given(
    flips=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 2_000),
)
@example(flips=[(152, 0)], cut=0)
def test_any_bytes_give_the_records_that_the_plain_decoder_gives(provider, flips, cut):
    valid = LogBatch.from_records(stock_records(), provider.pipeline).otlp_bytes()
    broken = bytearray(valid[:cut] or valid)
    for place, value in flips:
        broken[place % len(broken)] = value
    expected = [
        record
        for _, _, scopes in _native.decode_request(bytes(broken))
        for _, records in scopes
        for record in records
    ]
    found = plain(LogBatch(bytes(broken)))
    assert repr([in_trace(named(record)) for record in found]) == repr(
        [in_trace(named(record)) for record in expected]
    )


def named(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers that are no severity have no name; the SDK may leave attributes out that it does not like."""
    number, dropped = record[2], record[6]
    severity = number if number in range(1, 25) else 0
    attributes = None if dropped else record[5]
    return (*record[:2], severity, *record[3:5], attributes, *record[6:])
