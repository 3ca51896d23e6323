"""`LogBatch`: the records of one sealed block, as exporters and batch processors written in Python see them.

Stage 6 of 7, export. Threads: the delivery loop and its workers. The block stays encoded until somebody
looks at a record: an exporter that sends OTLP, or a form that the native encoders know, never pays for Python
objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, get_args, overload

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native

Form = Literal["otlp_json", "json", "logfmt", "pretty", "minimal"]
Shape = Literal["hec", "otel", "ecs", "raw", "bodymap", "ss4o", "flat"]

_SHAPES = frozenset(get_args(Shape))
# Not empty: an empty one would make `LogRecord` take the span that is current where a batch is decoded.
_NO_SPAN = trace.set_span_in_context(trace.INVALID_SPAN, Context())


class LogBatch(Sequence[ReadableLogRecord]):
    """The records of one block: lazy, in the order in which they were accepted within each scope.

    `len()` and `otlp_bytes()` decode nothing. The first look at a record decodes the whole batch, once; the
    records of a batch share their `Resource` and `InstrumentationScope` objects. Each exporter has a batch of
    its own, so what one of them changes in a record, no other sees.

    Args:
        source: A block of the pipeline, or an uncompressed `ExportLogsServiceRequest`.

    Example:
        >>> from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        >>> request = ExportLogsServiceRequest()
        >>> record = request.resource_logs.add().scope_logs.add().log_records.add(severity_number=9)
        >>> record.body.string_value = "started"
        >>> batch = LogBatch(request.SerializeToString())
        >>> len(batch), batch[0].log_record.body, batch[0].log_record.severity_number.name
        (1, 'started', 'INFO')
    """

    def __init__(self, source: _native.Batch | bytes) -> None:
        self._source = source
        self._bytes = source if isinstance(source, bytes) else None
        self._records: tuple[ReadableLogRecord, ...] | None = None
        self._scopes: tuple[InstrumentationScope, ...] = ()
        self._resources: tuple[Resource, ...] = ()

    @classmethod
    def from_records(cls, records: Iterable[ReadableLogRecord], pipeline: _native.Pipeline) -> LogBatch:
        """Encode records anew, under the redaction policy and the limits of a pipeline.

        Args:
            records: Those of another batch, changed or not, or made by hand.
            pipeline: `LoggerProvider.pipeline`.

        Raises:
            AttributeError, TypeError: If something is no `ReadableLogRecord`.
        """
        return cls(pipeline.encode(_fields(records)))

    def otlp_bytes(self) -> bytes:
        """Return the batch as an uncompressed OTLP `ExportLogsServiceRequest`."""
        if self._bytes is None:
            assert not isinstance(self._source, bytes)
            self._bytes = self._source.otlp_bytes()
        return self._bytes

    def encode(self, form: Form | Shape, **options: Any) -> bytes:
        """Return the batch in another form, encoded natively.

        Args:
            form: `otlp_json`: one JSON document as OTLP/HTTP takes it. `json`, `logfmt`, `pretty`, `minimal`:
                lines as the console writes them. Any shape of `documents`: its bytes.
            **options: Of that form, such as `colour=True`, or of that shape.

        Raises:
            ValueError, TypeError: If the form is unknown, or has no such option or value.
        """
        if form in _SHAPES:
            return _native.encode_documents(self._bytes or self._source, form, **options).bytes
        return _native.encode_request(self.otlp_bytes(), form, **options)

    def documents(self, shape: Shape, *, bulk: bool = False, **options: Any) -> _native.Documents:
        """Return one document for each record, for a destination that answers record by record.

        The documents are the same each time: whoever sends a part again need not encode anew, and whoever
        does comes to the same ids.

        Args:
            shape: `hec` for Splunk; `otel`, `ecs`, `raw`, `bodymap` and `flat` for Elasticsearch and others
                that take its bulk requests; `ss4o` for OpenSearch. See docs/reference/document_shapes.md.
            bulk: Put an action line of a bulk request before each document: `create`, the index, an id.
            **options: Of that shape, listed on that page, such as `time="iso"` or `dataset="orders"`.

        Raises:
            ValueError, TypeError: If the shape is unknown, or has no such option or value.

        Example:
            >>> from fapilog.testing.samples import sample_batch
            >>> documents = sample_batch(3).documents("otel", bulk=True, dataset="orders")
            >>> len(documents), documents.skipped
            (3, {})
            >>> documents.bytes[documents.offsets[2] :].decode().split(',"_id"')[0]
            '{"create":{"_index":"logs-orders.otel-default"'
        """
        return _native.encode_documents(self._bytes or self._source, shape, bulk=bulk, **options)

    @property
    def resource(self) -> Resource:
        """The resource of the records; of the first one, where a processor put several together."""
        self._decode()
        return self._resources[0] if self._resources else Resource({})

    @property
    def scopes(self) -> tuple[InstrumentationScope, ...]:
        """The instrumentation scopes, in the order of their records."""
        self._decode()
        return self._scopes

    def untouched(self) -> LogBatch:
        """Return the same records as they were before anybody looked at them."""
        return LogBatch(self._source) if self.decoded else self

    @property
    def decoded(self) -> bool:
        """Whether somebody looked at the records, and so may have changed them."""
        return self._records is not None

    def __len__(self) -> int:
        return len(self._decode()) if isinstance(self._source, bytes) else self._source.records

    @overload
    def __getitem__(self, index: int) -> ReadableLogRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ReadableLogRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> ReadableLogRecord | tuple[ReadableLogRecord, ...]:
        return self._decode()[index]

    def __iter__(self) -> Iterator[ReadableLogRecord]:
        return iter(self._decode())

    def __repr__(self) -> str:
        return f"<LogBatch of {len(self)} records>"

    def _decode(self) -> tuple[ReadableLogRecord, ...]:
        if self._records is None:
            self._resources, self._scopes, self._records = record_builder.decode(self.otlp_bytes())
        return self._records


def _make_resource(attributes: dict[str, Any], schema_url: str) -> Resource:
    return Resource(attributes, schema_url or None)


def _make_scope(name: str, version: str, schema_url: str, attributes: dict[str, Any]) -> InstrumentationScope:
    return InstrumentationScope(name, version or None, schema_url or None, attributes or None)


def _make_counted(attributes: dict[str, Any], dropped: int) -> BoundedAttributes:
    """Attributes as the SDK holds them, with the count of those that a limit dropped."""
    counted = BoundedAttributes(attributes=attributes, immutable=False, extended_attributes=True)
    counted.dropped = dropped
    return counted


_DEFAULTS = LogRecord(context=_NO_SPAN, observed_timestamp=0)
# Fills records in without their constructors, which look for the current span and cost more than decoding.
record_builder = _native.RecordBuilder(
    record=LogRecord,
    readable=ReadableLogRecord,
    record_defaults=vars(_DEFAULTS),
    readable_defaults=vars(ReadableLogRecord(_DEFAULTS, Resource({}))),
    severities={number.value: number for number in SeverityNumber if number.value},
    flags=tuple(trace.TraceFlags(flags) for flags in range(256)),
    make_resource=_make_resource,
    make_scope=_make_scope,
    make_counted=_make_counted,
)


def _fields(records: Iterable[ReadableLogRecord]) -> list[tuple[Any, ...]]:
    """The records as `_native.Pipeline.encode` takes them."""
    known: dict[int, tuple[Resource, bytes]] = {}

    def encoded(resource: Resource) -> bytes:
        entry = known.get(id(resource))
        if entry is None:
            attributes, schema_url = dict(resource.attributes), resource.schema_url or ""
            entry = known[id(resource)] = (resource, _native.encode_resource(attributes, schema_url))
        return entry[1]

    return [(*_scope(each), encoded(each.resource), *_values(each)) for each in records]


def _scope(record: ReadableLogRecord) -> tuple[Any, ...]:
    scope = record.instrumentation_scope
    if scope is None:
        return ("", "", "", None)
    attributes = dict(scope.attributes) if scope.attributes else None
    return (scope.name, scope.version or "", scope.schema_url or "", attributes)


def _values(readable: ReadableLogRecord) -> tuple[Any, ...]:
    record = readable.log_record
    return (
        record.timestamp or 0,
        record.observed_timestamp or 0,
        getattr(record.severity_number, "value", record.severity_number) or 0,
        record.severity_text or "",
        record.body,
        record.attributes,
        record.event_name or "",
        record.trace_id or 0,
        record.span_id or 0,
        int(record.trace_flags or 0),
        # Those that the SDK's `BoundedAttributes` counted are read with the attributes.
        0,
    )
