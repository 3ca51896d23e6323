"""Stage 3 of 7, redact: log record processors of the SDK, between redaction and append. Thread: caller.

Native capture calls the chain with the redacted record. What a processor changed goes back to capture, which
limits and redacts it, before the next processor sees it. A record that nobody changed is not encoded again.
A provider without processors has no chain, and its records never come here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context, get_current
from opentelemetry.sdk._logs import LogRecordLimits, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native, otel_private
from fapilog.diagnostics import say
from fapilog.logger import on_notice
from fapilog.timings import Meter, Timings
from fapilog.values import valid_text

Fields = tuple[Any, ...]
_Metered = tuple[LogRecordProcessor, Meter]
# Changed fields, an exception for the application, what goes on; as `_native.Pipeline.set_processors` says.
Answer = tuple[Fields | None, BaseException | None, Callable[[LogRecord], Any] | None]
# What is stored. Anything else that a processor put on the record, and its context, is passed on as it is.
_STORED = frozenset(
    (
        "timestamp",
        "observed_timestamp",
        "severity_number",
        "severity_text",
        "body",
        "attributes",
        "trace_id",
        "span_id",
        "trace_flags",
        "event_name",
    )
)
_current_context: Callable[[], Any] = otel_private.current_context_getter() or get_current


class ProcessedRecord(ReadWriteLogRecord):
    """A `ReadWriteLogRecord` whose attributes are limited already, so that none is thrown out for another."""

    def __post_init__(self) -> None:
        """Leave the attributes as they are: capture has limited them, and limits what processors add."""


class ProcessorChain:
    """The processors of one provider, in the order of their registration.

    Args:
        resource: What processors find as the record's resource.
        limits: What they find as its limits.
        timings: Where their calls are added up, as `log_record_processor`. Default: nowhere.

    Attributes:
        resource: May be replaced (a forked child has another `service.instance.id`).
        failures: Calls of processors that raised.
    """

    def __init__(self, resource: Resource, limits: LogRecordLimits, timings: Timings | None = None) -> None:
        self.resource = resource
        self.failures = 0
        self._limits = limits
        self._timings = timings if timings is not None else Timings()
        self._processors: tuple[_Metered, ...] = ()

    def add(self, processor: LogRecordProcessor) -> None:
        """Append a processor; records under way keep the ones they started with."""
        meter = self._timings.meter("log_record_processor", type(processor).__name__)
        self._processors += ((processor, meter),)

    def __len__(self) -> int:
        return len(self._processors)

    def make_scope(
        self, name: str, version: str, schema_url: str, attributes: Mapping[str, Any]
    ) -> InstrumentationScope:
        """Return the scope that processors find; native capture asks once and keeps the answer."""
        return InstrumentationScope(name, version or None, schema_url or None, attributes or None)

    def __call__(
        self, record: LogRecord, scope: InstrumentationScope, context: Context | None
    ) -> Answer | None:
        """Let every processor see and change the record.

        Args:
            record: Limited and without secrets; made for this call.
            scope: As `make_scope` made it.
            context: The one that the record was emitted with; None: the current one.

        Returns:
            None if nothing was changed; else what `_native.Pipeline.set_processors` takes.
        """
        record.context = context if context is not None else _current_context()
        record.attributes = _bounded(record)
        return self._run(ProcessedRecord(record, self.resource, scope, self._limits), self._processors)

    def _run(self, readable: ProcessedRecord, processors: tuple[_Metered, ...]) -> Answer | None:
        """Ask processors until one of them changed the record, or none is left.

        Each gets objects of its own: the SDK's processors keep what they get, and what a later one puts there
        would reach their exporters before it is redacted.
        """
        context = readable.log_record.context
        for asked, (processor, meter) in enumerate(processors, 1):
            record, interrupt = readable.log_record, None
            attributes: Any = record.attributes
            before = _native.Snapshot(vars(record), otel_private.held_attributes(attributes))
            dropped = attributes.dropped
            begun, failed = meter.begin(), False
            try:
                processor.on_emit(readable)
            except Exception as error:
                failed = True
                self._failed(processor, "on_emit", error)
            except BaseException as error:
                # KeyboardInterrupt and the like belong to the application, once the record is stored.
                interrupt = error
            if begun is not None or failed or meter.failing:
                meter.end(begun, failed=failed)
            same = readable.log_record is record and getattr(attributes, "dropped", None) == dropped
            changed = not (same and before.holds(vars(record), otel_private.held_attributes(attributes)))
            rest = processors[asked:] if interrupt is None else ()
            if interrupt is not None or changed or (rest and not before.fixed):
                fields = self._fields(readable, before, dropped) if changed else None
                return fields, interrupt, partial(self._resume, readable, rest, context) if rest else None
            if rest:
                readable = _with(readable, _copy(record, before.second(), dropped))
        return None

    def _resume(
        self,
        readable: ProcessedRecord,
        processors: tuple[_Metered, ...],
        context: Any,
        clean: LogRecord,
    ) -> Answer | None:
        """Go on with the record as capture gave it back."""
        clean.context, clean.attributes = context, _bounded(clean)
        record = readable.log_record
        if type(record) is LogRecord:
            passed = vars(record)
            for name in passed.keys() - _STORED:
                setattr(clean, name, passed[name])
        return self._run(_with(readable, clean), processors)

    def _fields(self, readable: ProcessedRecord, before: _native.Snapshot, dropped: int) -> Fields | None:
        try:
            return _fields(readable.log_record, before, dropped)
        except Exception as error:
            # A processor put something else in the place of the record.
            self._failed(self, "on_emit", error)
            return None

    def enabled(
        self,
        context: Context | None,
        scope: InstrumentationScope,
        severity_number: SeverityNumber | None,
        event_name: str | None,
    ) -> bool:
        """Tell whether any processor wants such a record; one that cannot tell does."""
        return any(
            self._wants(processor, context, scope, severity_number, event_name)
            for processor, _ in self._processors
        )

    def flushes(self, timeout_millis: int) -> list[Callable[[], object]]:
        """Return one call per processor that exports what it holds."""
        return [partial(processor.force_flush, timeout_millis) for processor, _ in self._processors]

    def shutdowns(self) -> list[Callable[[], object]]:
        """Return one call per processor that ends it."""
        return [processor.shutdown for processor, _ in self._processors]

    def _wants(
        self,
        processor: LogRecordProcessor,
        context: Context | None,
        scope: InstrumentationScope,
        severity_number: SeverityNumber | None,
        event_name: str | None,
    ) -> bool:
        try:
            return processor.enabled(
                context=context,
                instrumentation_scope=scope,
                severity_number=severity_number,
                event_name=event_name,
            )
        except Exception as error:
            self._failed(processor, "enabled", error)
            return True

    def _failed(self, processor: object, method: str, error: Exception) -> None:
        self.failures += 1
        name = f"{type(processor).__name__}.{method}"
        message = f"{name} raised {type(error).__name__}: {valid_text(error)}"
        say("processor-failed", f"{message}; the record goes on without it", name)
        on_notice("processor-failed", message)


def _copy(record: LogRecord, attributes: dict[str, Any], dropped: int) -> LogRecord:
    copy = LogRecord.__new__(LogRecord)
    vars(copy).update(vars(record))
    copy.attributes = otel_private.log_attributes(attributes, dropped)
    return copy


def _with(readable: ProcessedRecord, record: LogRecord) -> ProcessedRecord:
    return ProcessedRecord(record, readable.resource, readable.instrumentation_scope, readable.limits)


def _bounded(record: LogRecord) -> BoundedAttributes:
    """The attributes of a record that native code made: a dict, or, if some were dropped, counted."""
    attributes: Any = record.attributes
    if type(attributes) is dict:
        return otel_private.log_attributes(attributes)
    return otel_private.log_attributes(dict(attributes), attributes.dropped)


def _fields(record: LogRecord, before: _native.Snapshot, dropped: int) -> Fields:
    """The fields of a record as native capture takes them; unreadable attributes are the last good ones."""
    attributes = record.attributes
    try:
        plain = dict(otel_private.held_attributes(attributes))
        dropped = getattr(attributes, "dropped", dropped)
    except Exception:
        plain = before.second()
    return (
        record.timestamp,
        record.observed_timestamp,
        getattr(record.severity_number, "value", record.severity_number),
        record.severity_text,
        record.body,
        plain,
        dropped,
        record.trace_id,
        record.span_id,
        record.trace_flags,
        record.event_name,
    )
