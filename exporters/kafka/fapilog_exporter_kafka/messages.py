"""What a batch becomes: messages of OTLP, with keys, none larger than allowed.

Stage 6 of 7, export. Pure functions. Threads: one for each batch, so that the delivery loop never waits; the
loop itself for messages that are halved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from fapilog import LogBatch

Key = Literal["none", "service", "trace"]
_Place = tuple[ResourceLogs, ScopeLogs, LogRecord]


@dataclass(frozen=True)
class Message:
    """One message for the topic.

    Attributes:
        value: An `ExportLogsServiceRequest`, not compressed: what the Collector calls `otlp_proto`.
        key: None: the producer chooses the partition.
        records: How many it holds.
    """

    value: bytes
    key: bytes | None
    records: int

    def __len__(self) -> int:
        return len(self.value) + len(self.key or b"")

    def halves(self) -> tuple[Message, ...]:
        """Return two messages with the same key; none if it holds one record."""
        if self.records < 2:
            return ()
        places = list(_places(ExportLogsServiceRequest.FromString(self.value)))
        middle = len(places) // 2
        return tuple(_message(part, self.key) for part in (places[:middle], places[middle:]))


@dataclass(frozen=True)
class Encoded:
    """The messages of one batch.

    Attributes:
        messages: In the order of their first records.
        too_large: Records that are larger than a message may be.
    """

    messages: tuple[Message, ...]
    too_large: int = 0


def encode(batch: LogBatch, key: Key, limit_bytes: int) -> Encoded:
    """Return the messages that hold the records of a batch; bytes that are no OTLP make none.

    Args:
        batch: The records.
        key: What records of one message have in common.
        limit_bytes: Of a message at most, its key included.

    Example:
        >>> from fapilog.testing.samples import sample_batch
        >>> [message.records for message in encode(sample_batch(5), "none", 1_000_000).messages]
        [5]
    """
    value, records = batch.otlp_bytes(), len(batch)
    if not records:
        return Encoded(())
    if key == "none" and len(value) <= limit_bytes:
        return Encoded((Message(value, None, records),))
    try:
        request = ExportLogsServiceRequest.FromString(value)
    except DecodeError:
        return Encoded(())
    groups = _grouped(request, key)
    if len(groups) == 1:
        whole = Message(value, next(iter(groups)), records)
        if len(whole) <= limit_bytes:
            return Encoded((whole,))
    parts = [part for each, places in groups.items() for part in _within(places, each, limit_bytes)]
    fitting = tuple(part for part in parts if len(part) <= limit_bytes)
    return Encoded(fitting, too_large=sum(part.records for part in parts if len(part) > limit_bytes))


def _grouped(request: ExportLogsServiceRequest, key: Key) -> dict[bytes | None, list[_Place]]:
    groups: dict[bytes | None, list[_Place]] = {}
    for place in _places(request):
        groups.setdefault(_key(place, key), []).append(place)
    return groups


def _key(place: _Place, key: Key) -> bytes | None:
    if key == "trace":
        # In hex, as the Collector's exporter has it.
        return place[2].trace_id.hex().encode() or None
    if key == "service":
        for attribute in place[0].resource.attributes:
            if attribute.key == "service.name":
                return attribute.value.string_value.encode() or None
    return None


def _within(places: list[_Place], key: bytes | None, limit_bytes: int) -> Iterator[Message]:
    """Yield messages that are small enough; one record that is not, alone."""
    message = _message(places, key)
    if len(message) <= limit_bytes or len(places) < 2:
        yield message
        return
    middle = len(places) // 2
    yield from _within(places[:middle], key, limit_bytes)
    yield from _within(places[middle:], key, limit_bytes)


def _places(request: ExportLogsServiceRequest) -> Iterator[_Place]:
    """Yield each record with the scope and the resource that it is of."""
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield resource_logs, scope_logs, record


def _message(places: Iterable[_Place], key: bytes | None) -> Message:
    request, records = ExportLogsServiceRequest(), 0
    of_resource: ResourceLogs | None = None
    of_scope: ScopeLogs | None = None
    for resource_logs, scope_logs, record in places:
        if of_resource is not resource_logs:
            of_resource, of_scope = resource_logs, None
            to_resource = request.resource_logs.add(schema_url=resource_logs.schema_url)
            to_resource.resource.CopyFrom(resource_logs.resource)
        if of_scope is not scope_logs:
            of_scope = scope_logs
            to_scope = to_resource.scope_logs.add(schema_url=scope_logs.schema_url)
            to_scope.scope.CopyFrom(scope_logs.scope)
        to_scope.log_records.append(record)
        records += 1
    return Message(request.SerializeToString(), key, records)
