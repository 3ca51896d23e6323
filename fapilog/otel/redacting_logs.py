"""Stage 3 of 7, redact: records of a stock `LoggerProvider` under our rules. Thread(s): caller, exporting."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource

from fapilog import otel_private
from fapilog.diagnostics import say, shown_error
from fapilog.otel.redacting_parts import PartRedactor
from fapilog.redaction.given import GivenPolicy
from fapilog.redaction.redactor import UNSCANNED
from fapilog.settings.redaction import RedactionSettings


class RedactingLogRecordProcessor(LogRecordProcessor):
    """Hides in the records of a stock `LoggerProvider` what stage 3 hides in ours.

    It changes each record where it is: body, attributes, event name, severity text, resource and scope.
    Processors that were added before it see the record as it was, so add it first, or wrap their exporters
    in `RedactingLogRecordExporter`. A provider of fapilog needs none: its processors see redacted records.

    Args:
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`. Of a
            pipeline: `Settings.redaction_in_force`.

    Example:
        >>> from opentelemetry.sdk._logs import LoggerProvider
        >>> LoggerProvider().add_log_record_processor(RedactingLogRecordProcessor())
    """

    def __init__(self, settings: GivenPolicy = None) -> None:
        self._parts = PartRedactor(settings)

    def use(self, settings: RedactionSettings) -> None:
        """Take another policy from now on."""
        self._parts = PartRedactor(settings)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Rewrite one record."""
        parts = self._parts
        try:
            _rewrite(log_record.log_record, parts)
            if log_record.resource is not None:
                log_record.resource = parts.resource(log_record.resource)
            log_record.instrumentation_scope = parts.scope(log_record.instrumentation_scope)
        except Exception as error:
            _say_unread(error)
            _blank(log_record.log_record)
            log_record.resource, log_record.instrumentation_scope = Resource({}), None

    def shutdown(self) -> None:
        """Nothing to end."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing is held."""
        return True


class RedactingLogRecordExporter(LogRecordExporter):
    """Hands log records to another exporter without what stage 3 hides.

    Args:
        exporter: Any `LogRecordExporter`.
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`.

    Example:
        >>> from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
        >>> processor = BatchLogRecordProcessor(RedactingLogRecordExporter(ConsoleLogRecordExporter()))
        >>> processor.shutdown()
    """

    def __init__(self, exporter: LogRecordExporter, settings: GivenPolicy = None) -> None:
        self._exporter = exporter
        self._parts = PartRedactor(settings)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export copies without what is hidden."""
        return self._exporter.export([self._copy(record) for record in batch])

    def _copy(self, given: ReadableLogRecord) -> ReadableLogRecord:
        record, resource, scope = copy.copy(given.log_record), given.resource, given.instrumentation_scope
        try:
            _rewrite(record, self._parts)
            resource, scope = self._parts.resource(resource), self._parts.scope(scope)
        except Exception as error:
            _say_unread(error)
            _blank(record)
            resource, scope = Resource({}), None
        return ReadableLogRecord(record, resource, scope, given.limits)

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter; not every release of the SDK asks it to."""
        flush = getattr(self._exporter, "force_flush", None)
        return flush is None or flush(timeout_millis) is not False


def _rewrite(record: Any, parts: PartRedactor) -> None:
    record.body = parts.redactor.value(record.body)
    attributes = record.attributes
    if attributes:
        left = parts.redactor.changed(otel_private.held_attributes(attributes))
        if left is not None:
            record.attributes = otel_private.log_attributes(left, getattr(attributes, "dropped", 0))
    record.event_name = record.event_name and parts.text(record.event_name)
    record.severity_text = record.severity_text and parts.text(record.severity_text)
    # Its attributes are there; whoever reads the exception itself would read all that it holds.
    if getattr(record, "exception", None) is not None:
        record.exception = None


def _blank(record: Any) -> None:
    record.body, record.attributes = UNSCANNED, {}
    record.event_name = record.severity_text = record.exception = None


def _say_unread(error: Exception) -> None:
    what = f"a log record could not be read and goes on without its content: {shown_error(error)}"
    say("unscanned", what, "logs")
