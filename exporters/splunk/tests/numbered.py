"""Batches whose records are told apart by the attribute `number`."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from fapilog import LogBatch


def numbered(count: int, more: Mapping[int, Mapping[str, Any]] | None = None, first: int = 0) -> LogBatch:
    """So many records, from number `first` on, some with more attributes."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(count):
        record = scope.log_records.add(time_unix_nano=1_700_000_000_000_000_000 + number, severity_number=9)
        record.body.string_value = f"record {first + number}\nsecond line"
        attributes = {"number": first + number, **(more or {}).get(number, {})}
        record.attributes.extend(KeyValue(key=key, value=_value(value)) for key, value in attributes.items())
    return LogBatch(request.SerializeToString())


def _value(value: Any) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
