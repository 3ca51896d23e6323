"""Any OTLP record and request, as protobuf's own classes hold them; an equality for decoded ones."""

import math
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

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
