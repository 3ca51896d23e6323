"""Stage 1 of 7, emit: the drop-in for OpenTelemetry's `BatchLogRecordProcessor`. Thread: caller.

A provider of the SDK hands its records over here; each is encoded and redacted before `on_emit` returns, and
takes stages 3 to 7 of ours. The limits are the SDK's: they were applied already.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native, ledger, lifecycle, self_observability
from fapilog.diagnostics import is_delivering, say, shown_error
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.exporters.base import AnyExporter
from fapilog.otel.outlet import Outlet
from fapilog.settings import Settings
from fapilog.timings import Timings
from fapilog.values import valid_text

# Scopes whose loggers are remembered; beyond it, the memory is cleared.
_SCOPES_LIMIT = 1_024
# OTel logs SDK, batching processor: what an exporter of OpenTelemetry gets at most, unless told otherwise.
_EXPORT_BATCH_RECORDS = 512
_UNLIMITED = 2**31 - 1
# Not the current one: records are emitted with the span that they carry.
_NO_SPAN = trace.set_span_in_context(trace.INVALID_SPAN, Context())


class FapilogLogRecordProcessor(LogRecordProcessor):
    """Takes the records of a stock `LoggerProvider` through our pipeline, as a `BatchLogRecordProcessor`.

    The first five arguments have that processor's names and order.

    Args:
        exporter: Any OpenTelemetry `LogRecordExporter`, or an exporter of ours. Default: the native OTLP one.
        schedule_delay_millis: Longest wait of a record before its batch is closed (OTEL_BLRP_SCHEDULE_DELAY).
        max_export_batch_size: Records of one batch at most (OTEL_BLRP_MAX_EXPORT_BATCH_SIZE). Default: 512
            for an exporter that is passed; the native one takes as many as fit into `buffer.chunk_bytes`.
        export_timeout_millis: Time for one call of the exporter (OTEL_BLRP_EXPORT_TIMEOUT, 30 000).
        max_queue_size: Records held at most (OTEL_BLRP_MAX_QUEUE_SIZE). Default: `buffer.limit_bytes` alone.
        meter_provider: Takes the metrics of this processor if `self_observability` is set.
        settings: Everything else; its levels, and its `sequence` attribute, count only where they are set.
            Default: the environment.
        exporters: Several of them, by name or as objects, instead of `exporter`.

    Raises:
        ConfigurationError: If a setting is wrong or `exporter` is no exporter.

    Example:
        >>> from opentelemetry.sdk._logs import LoggerProvider
        >>> from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
        >>> exporter, provider = InMemoryLogRecordExporter(), LoggerProvider()
        >>> provider.add_log_record_processor(FapilogLogRecordProcessor(exporter))
        >>> provider.get_logger("jobs").emit(body="started")
        >>> provider.force_flush()
        True
        >>> [record.log_record.body for record in exporter.get_finished_logs()]
        ['started']
        >>> provider.shutdown()
    """

    def __init__(  # noqa: PLR0913 - the stock processor's arguments, and ours
        self,
        exporter: Any = None,
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
        max_queue_size: int | None = None,
        *,
        meter_provider: MeterProvider | None = None,
        settings: Settings | None = None,
        exporters: Sequence[AnyExporter] | None = None,
    ) -> None:
        given = {
            "buffer.schedule_delay_millis": _number("schedule_delay_millis", schedule_delay_millis),
            "buffer.max_queue_records": _number("max_queue_size", max_queue_size),
            "buffer.export_timeout_millis": _number("export_timeout_millis", export_timeout_millis),
            "buffer.max_block_records": _number("max_export_batch_size", max_export_batch_size),
        }
        self.settings = _settings(settings or Settings(), given, native=exporter is None)
        if exporters is None:
            exporters = ["otlp"] if exporter is None else [exporter]
        self.timings = Timings()
        self.outlet = Outlet(self.settings, exporters, timings=self.timings)
        self._lock = threading.Lock()
        self._lanes: dict[int, tuple[Resource, _Lane]] = {}
        self._shut_down = False
        lifecycle.register(self)
        if meter_provider is not None and self.settings.self_observability:
            self_observability.observe(self, meter_provider)

    @property
    def creates_records(self) -> bool:
        """False: the provider that it is added to creates them, and counts them where it is told to."""
        return False

    def on_emit(self, log_record: ReadWriteLogRecord | ReadableLogRecord) -> None:
        """Encode the record and put it into the buffer. Never raises, and never waits but for `overflow`."""
        try:
            if self._shut_down or is_delivering():
                return
            lane = self._lane(log_record.resource)
            lane.emit(log_record)
        except Exception as error:
            what = f"a record of an OpenTelemetry provider could not be read: {shown_error(error)}"
            say("otel-record-lost", what, "processor")

    def enabled(
        self,
        *,
        context: Context | None = None,  # noqa: ARG002 - the SDK's signature
        instrumentation_scope: InstrumentationScope | None = None,  # noqa: ARG002 - the SDK's signature
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> bool:
        """Tell whether a record of this severity would be kept."""
        number = getattr(severity_number, "value", None) or 0
        chosen = self.settings.origin("level") != "default"
        floor = int(self.settings.level) if chosen else 0
        return not self._shut_down and (number == 0 or number >= floor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything emitted before is exported, then call the exporter's `force_flush`.

        Args:
            timeout_millis: Longest wait; it comes first.

        Returns:
            False when the time ran out, or after `shutdown()`.
        """
        return not self._shut_down and self.outlet.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: int | None = None) -> None:
        """Drop later records, export what is there, shut the exporter down, end the threads.

        Args:
            timeout_millis: Longest wait. Default: `buffer.shutdown_timeout_millis`.
        """
        self._shut_down = True
        limit = self.settings.buffer.shutdown_timeout_millis if timeout_millis is None else timeout_millis
        self.outlet.shutdown(limit)

    def finish(self) -> bool:
        """Flush at the end of the process, within the shutdown timeout."""
        return self._shut_down or self.outlet.finish(self.settings.buffer.shutdown_timeout_millis)

    def ledger(self) -> ledger.Ledger:
        """Return what became of every record so far."""
        return self.outlet.ledger()

    def handle(self, resource: Resource) -> _native.PipelineHandle:
        """Return where loggers and bridges can put records of a resource, past the other provider."""
        return self._lane(resource).handle

    def _lane(self, resource: Resource | None) -> _Lane:
        """The pipeline of a resource; providers that share this processor have one each."""
        found = self._lanes.get(id(resource))
        if found is None:
            with self._lock:
                found = self._lanes.get(id(resource)) or self._open(resource or Resource({}), id(resource))
        return found[1]

    def _open(self, resource: Resource, key: int) -> tuple[Resource, _Lane]:
        # A provider may make an equal resource anew, as the SDK does after a fork.
        equal = [entry for entry in self._lanes.values() if entry[0] == resource]
        lane = equal[0][1] if equal else _Lane(self.outlet.open(resource))
        # Kept with its resource, so that no other one can get its id.
        self._lanes[key] = (resource, lane)
        return self._lanes[key]


class _Lane:
    """The native loggers of one pipeline, by scope."""

    def __init__(self, pipeline: _native.Pipeline) -> None:
        self.handle = _native.PipelineHandle()
        self.handle.attach(pipeline)
        self._loggers: dict[int, tuple[InstrumentationScope | None, _native.Logger]] = {}

    def emit(self, readable: ReadWriteLogRecord | ReadableLogRecord) -> None:
        record = readable.log_record
        severity: Any = record.severity_number
        fields: dict[str, Any] = {
            "body": record.body,
            "severity_number": getattr(severity, "value", severity) or 0,
            "severity_text": record.severity_text or "",
            "time_unix_nano": record.timestamp,
            "observed_time_unix_nano": record.observed_timestamp,
            "attributes": record.attributes,
            "event_name": record.event_name,
            "context": _context(record),
        }
        self._logger(readable.instrumentation_scope).emit_record(**fields)

    def _logger(self, scope: InstrumentationScope | None) -> _native.Logger:
        known = self._loggers.get(id(scope))
        if known is None:
            if len(self._loggers) >= _SCOPES_LIMIT:
                self._loggers.clear()
            known = self._loggers[id(scope)] = (scope, self._make(scope))
        return known[1]

    def _make(self, scope: InstrumentationScope | None) -> _native.Logger:
        if scope is None:
            return _native.Logger(self.handle, "", api=True)
        return _native.Logger(
            self.handle,
            valid_text(scope.name),
            version=valid_text(scope.version),
            schema_url=valid_text(scope.schema_url),
            scope_attributes=dict(scope.attributes) if scope.attributes else None,
            api=True,
        )


def _settings(settings: Settings, given: dict[str, int | None], *, native: bool) -> Settings:
    """The settings of a processor: the SDK filtered, limited and counted already."""
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    changes |= {"limits.attribute_count": _UNLIMITED, "limits.attribute_value_length": None}
    if settings.origin("sequence") == "default":
        changes["sequence"] = False
    if not native and settings.buffer.max_block_records is None:
        queue = changes.get("buffer.max_queue_records", settings.buffer.max_queue_records)
        changes.setdefault("buffer.max_block_records", min(_EXPORT_BATCH_RECORDS, queue or _UNLIMITED))
    return settings.with_changes(**changes)


def _number(name: str, value: Any) -> int | None:
    """A number as the stock processor takes it: fractions, but no 0. Named as there if it is none."""
    if value is None:
        return None
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or value < 1:
        shown = OffendingSetting(name, repr(value)[:80], "argument", "give a number, 1 or more")
        what = f"{name} is not a number of 1 or more"
        raise ConfigurationError([Problem("setting-invalid", what, (shown,), shown.remedy)])
    return int(value)


def _context(record: Any) -> Context | None:
    """A context with the record's own span: a processor before this one may have changed its ids."""
    if not record.trace_id:
        return _NO_SPAN
    own = (record.trace_id, record.span_id or 0, record.trace_flags or 0)
    span = trace.get_current_span(record.context).get_span_context()
    if own == (span.trace_id, span.span_id, span.trace_flags):
        context: Context | None = record.context
        return context
    flags = trace.TraceFlags(own[2])
    made = trace.SpanContext(own[0], own[1], is_remote=False, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(made), Context())
