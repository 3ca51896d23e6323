"""Stage 3 of 7, redact: log record processors of the SDK, between redaction and append. Thread: caller.

Native capture calls the chain with the redacted record; what the processors make of it is redacted and
limited again. A provider without processors has no chain, and its records never come here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context, get_current
from opentelemetry.sdk._logs import LogRecordLimits, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from fapilog import otel_private
from fapilog.diagnostics import say
from fapilog.logger import on_notice
from fapilog.values import valid_text

_SEVERITIES = (None, *(SeverityNumber(number) for number in range(1, 25)))
Fields = tuple[Any, ...]


class ProcessedRecord(ReadWriteLogRecord):
    """A `ReadWriteLogRecord` whose attributes are limited already, so that none is thrown out for another."""

    def __post_init__(self) -> None:
        """Leave the attributes as they are: capture has limited them, and limits what processors add."""


class ProcessorChain:
    """The processors of one provider, in the order of their registration.

    Args:
        resource: What processors find as the record's resource.
        limits: What they find as its limits.

    Attributes:
        resource: May be replaced (a forked child has another `service.instance.id`).
        failures: Calls of processors that raised.
    """

    def __init__(self, resource: Resource, limits: LogRecordLimits) -> None:
        self.resource = resource
        self.failures = 0
        self._limits = limits
        self._processors: tuple[LogRecordProcessor, ...] = ()

    def add(self, processor: LogRecordProcessor) -> None:
        """Append a processor; records under way keep the ones they started with."""
        self._processors += (processor,)

    def __len__(self) -> int:
        return len(self._processors)

    def make_scope(
        self, name: str, version: str, schema_url: str, attributes: Mapping[str, Any]
    ) -> InstrumentationScope:
        """Return the scope that processors find; native capture asks once and keeps the answer."""
        return InstrumentationScope(name, version or None, schema_url or None, attributes or None)

    def __call__(self, fields: Fields, scope: InstrumentationScope, context: Context | None) -> Fields:
        """Let every processor see and change the record.

        Args:
            fields: As `_native.decode_record` returns them.
            scope: As `make_scope` made it.
            context: The one that the record was emitted with; None: the current one.

        Returns:
            The fields after the last processor, and an exception that must reach the application, or None.
        """
        record = self._record(fields, scope, context)
        interrupt = None
        for processor in self._processors:
            try:
                processor.on_emit(record)
            except Exception as error:
                self._failed(processor, "on_emit", error)
            except BaseException as error:
                # KeyboardInterrupt and the like belong to the application, once the record is stored.
                interrupt = error
                break
        try:
            return (*_fields(record.log_record, fields), interrupt)
        except Exception as error:
            # A processor put something else in the place of the record.
            self._failed(self, "on_emit", error)
            return (*fields, interrupt)

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
            for processor in self._processors
        )

    def flushes(self, timeout_millis: int) -> list[Callable[[], object]]:
        """Return one call per processor that exports what it holds."""
        return [partial(processor.force_flush, timeout_millis) for processor in self._processors]

    def shutdowns(self) -> list[Callable[[], object]]:
        """Return one call per processor that ends it."""
        return [processor.shutdown for processor in self._processors]

    def _record(
        self, fields: Fields, scope: InstrumentationScope, context: Context | None
    ) -> ProcessedRecord:
        time, observed, severity, text, body, attributes, dropped, trace_id, span_id, flags, event = fields
        record = LogRecord(
            timestamp=time or None,
            observed_timestamp=observed,
            context=context if context is not None else get_current(),
            severity_text=text or None,
            severity_number=_SEVERITIES[severity] if 0 <= severity <= 24 else None,
            body=body,
            attributes=otel_private.log_attributes(attributes, dropped),
            event_name=event or None,
        )
        record.trace_id, record.span_id, record.trace_flags = trace_id, span_id, TraceFlags(flags)
        return ProcessedRecord(record, self.resource, scope, self._limits)

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


def _fields(record: LogRecord, before: Fields) -> Fields:
    """The fields of a record as native capture takes them; unreadable attributes are the last good ones."""
    attributes, dropped = record.attributes, before[6]
    try:
        plain = otel_private.plain_attributes(attributes)
        dropped = getattr(attributes, "dropped", dropped)
    except Exception:
        plain = dict(before[5])
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
