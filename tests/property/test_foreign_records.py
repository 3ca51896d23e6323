"""`Pipeline.encode` makes of records of other sources what the stock encoder makes of them, redacted."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from fapilog import LoggerProvider, Settings
from fapilog._native import Pipeline
from fapilog.pipeline import encode_resource
from tests.property import reference
from tests.property.values import common_values, values

RESOURCES = [Resource({}), Resource({"service.name": "shop"}), Resource({"a": 1}, "https://schema/1")]
SCOPES = [
    InstrumentationScope("shop"),
    InstrumentationScope("shop", "1.0"),
    InstrumentationScope("shop", "1.0", "https://schema/2", {"key": [1, "two"]}),
    InstrumentationScope(""),
]
ROOM_BYTES = 60_000
FIELDS = 16


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    provider = LoggerProvider(Resource({}), settings=Settings.load(environ={}), exporters=["none"])
    yield provider.pipeline
    provider.shutdown()


records = st.builds(
    LogRecord,
    timestamp=st.none() | st.integers(0, 2**64 - 1),
    observed_timestamp=st.integers(0, 2**64 - 1),
    trace_id=st.just(0) | st.integers(1, 2**128 - 1),
    span_id=st.just(0) | st.integers(1, 2**64 - 1),
    trace_flags=st.integers(0, 255).map(TraceFlags),
    severity_number=st.none() | st.sampled_from(list(SeverityNumber)),
    severity_text=st.none() | st.text(),
    body=common_values,
    attributes=st.none() | st.dictionaries(st.text(min_size=1), common_values, max_size=4),
    event_name=st.none() | st.text(),
)
readable = st.builds(
    ReadableLogRecord,
    records,
    resource=st.sampled_from(RESOURCES),
    instrumentation_scope=st.sampled_from(SCOPES),
)


def as_tuple(readable: ReadableLogRecord) -> tuple[Any, ...]:
    record, scope = readable.log_record, readable.instrumentation_scope
    number = record.severity_number
    return (
        scope.name,
        scope.version,
        scope.schema_url,
        scope.attributes,
        encode_resource(readable.resource),
        record.timestamp,
        record.observed_timestamp,
        number.value if number is not None else 0,
        record.severity_text,
        record.body,
        record.attributes,
        record.event_name,
        record.trace_id,
        record.span_id,
        record.trace_flags,
        readable.dropped_attributes,
    )


def untouched(record: LogRecord) -> bool:
    """Tell whether redaction and the size limit would leave the record as it is."""
    encoded = [reference.any_value(record.body), *reference.key_values((record.attributes or {}).items())]
    return "REDACTED" not in str(encoded) and sum(part.ByteSize() for part in encoded) < ROOM_BYTES


@given(batch=st.lists(readable, max_size=8))
@settings(deadline=None)
def test_a_batch_becomes_what_the_stock_encoder_makes_of_it(
    pipeline: Pipeline, batch: list[ReadableLogRecord]
):
    assume(all(untouched(each.log_record) for each in batch))
    ours = ExportLogsServiceRequest.FromString(pipeline.encode([as_tuple(each) for each in batch]))
    stock = encode_logs(batch)
    assert ours.SerializeToString(deterministic=True) == stock.SerializeToString(deterministic=True)


anything = values | st.integers() | st.none()


@given(batch=st.lists(st.tuples(*[anything] * FIELDS) | anything, max_size=6))
@example(batch=[(1,) * FIELDS, None, ()])
@settings(deadline=None)
def test_one_bad_record_never_costs_the_batch(pipeline: Pipeline, batch: list[Any]):
    good = as_tuple(
        ReadableLogRecord(
            LogRecord(body="good", observed_timestamp=1), RESOURCES[1], instrumentation_scope=SCOPES[2]
        )
    )
    ours = ExportLogsServiceRequest.FromString(pipeline.encode([*batch, good]))
    bodies = [
        record.body.string_value
        for resource in ours.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    tuples = sum(isinstance(each, tuple) and len(each) == FIELDS for each in batch)
    assert (bodies.count("good"), len(bodies)) == (1, tuples + 1)
