"""Batches without a pipeline, for exporters that are tested alone."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog.batch import LogBatch


def request_of(*bodies: str) -> bytes:
    """One encoded request with a record for each body, in two scopes."""
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add()
    scopes = [resource_logs.scope_logs.add() for _ in range(2)]
    for name, scope_logs in zip("ab", scopes, strict=True):
        scope_logs.scope.name = name
    for index, body in enumerate(bodies):
        record = scopes[index * 2 // len(bodies)].log_records.add(severity_number=9)
        record.body.string_value = body
    return message.SerializeToString()


def batch_of(*bodies: str) -> LogBatch:
    """A batch with a record for each body."""
    return LogBatch(request_of(*bodies))
