"""Batches whose records are told apart by the attribute `number`."""

from collections.abc import Iterable, Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from fapilog import LogBatch

NANOS = 1_700_000_000_000_000_000


def request_of(
    count: int,
    first: int = 0,
    *,
    services: Sequence[str] = ("checkout",),
    traces: Sequence[str] = ("",),
    padding: int = 0,
) -> ExportLogsServiceRequest:
    """So many records for each service, over several scopes; their traces in turn, `padding` bytes larger."""
    request = ExportLogsServiceRequest()
    for place, service in enumerate(services):
        resource_logs = request.resource_logs.add(schema_url="https://schema.example/1")
        if service:
            resource_logs.resource.attributes.add(key="service.name").value.string_value = service
        for number in range(first + place * count, first + (place + 1) * count):
            if (number - first) % 7 == 0 or not resource_logs.scope_logs:
                scope_logs = resource_logs.scope_logs.add()
                scope_logs.scope.name = f"scope {number}"
            record = scope_logs.log_records.add(time_unix_nano=NANOS + number, severity_number=9)
            record.body.string_value = f"record {number}" + "x" * padding
            record.attributes.add(key="number").value.int_value = number
            record.trace_id = bytes.fromhex(traces[number % len(traces)])
    return request


def numbered(count: int, first: int = 0, **more: object) -> LogBatch:
    """The batch of such a request."""
    return LogBatch(request_of(count, first, **more).SerializeToString())  # type: ignore[arg-type]


def numbers(records: Iterable[LogRecord]) -> list[int]:
    """The numbers of records."""
    return [
        attribute.value.int_value
        for record in records
        for attribute in record.attributes
        if attribute.key == "number"
    ]
