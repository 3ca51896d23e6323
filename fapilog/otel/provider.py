"""Stage 1 of 7, emit: the OpenTelemetry logs API over our pipeline. Thread: caller.

One provider is one isolated pipeline: its own buffer, threads, ledger and loggers; two share nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import Logger as ApiLogger
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fapilog import _native, ledger, lifecycle, pipeline
from fapilog.diagnostics import say
from fapilog.errors import LifecycleError
from fapilog.otel import rules
from fapilog.otel.resource import build_resource, described_in_children
from fapilog.settings import Settings
from fapilog.severity import Severity
from fapilog.timings import Timings
from fapilog.values import valid_text


class LoggerProvider(SdkLoggerProvider):
    """An isolated pipeline behind the OpenTelemetry logs API.

    `configure_otel()` makes one for the process; make more for parts that must not share a buffer, an
    exporter or a policy. A subclass of the SDK's, so code that asks for one accepts it.

    Args:
        resource: Attached to every record. Default: from `settings.service` and OpenTelemetry's detectors.
        settings: Default: `Settings()`, which reads the environment.
        exporters: `otlp`, `console`, `none`. Default: `settings.exporters`, else `otlp`.

    Raises:
        ConfigurationError: If a setting is wrong.

    Example:
        >>> from fapilog import LoggerProvider
        >>> with LoggerProvider(exporters=["none"]) as provider:
        ...     provider.get_logger("jobs").emit(body="started")
        ...     provider.ledger().accepted
        1
    """

    def __init__(
        self,
        resource: Resource | None = None,
        *,
        settings: Settings | None = None,
        exporters: Sequence[str] | None = None,
    ) -> None:
        self.settings = settings if settings is not None else Settings()
        self.timings = Timings()
        chosen = exporters if exporters is not None else self.settings.exporters
        self.exporters = tuple(
            name for name in (chosen if chosen is not None else ("otlp",)) if name != "none"
        )
        resource = resource if resource is not None else build_resource(self.settings)
        super().__init__(resource, shutdown_on_exit=False)
        described = described_in_children(self)
        self._pipeline = pipeline.build(self.settings, resource, self.exporters, on_start=described)
        self.handle = _native.PipelineHandle()
        self.handle.attach(self._pipeline)
        self._shut_down = False
        lifecycle.register(self)

    @property
    def pipeline(self) -> _native.Pipeline:
        """The native pipeline, for handles and for tests."""
        return self._pipeline

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> ApiLogger:
        """Return a logger for an instrumentation scope; a no-op one after `shutdown()` (OTel logs SDK)."""
        if self._shut_down or self.settings.disabled:
            return NoOpLogger(name, version, schema_url, attributes)
        return OtelLogger(self.handle, valid_text(name), version, schema_url, attributes)

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Refuse: stock processors on this provider come with a later version.

        Raises:
            LifecycleError: `not-in-this-version`. A processor that is silently never called would be worse.
        """
        what = f"{type(log_record_processor).__name__} cannot be added to fapilog.LoggerProvider"
        raise LifecycleError("not-in-this-version", what)

    def set_level(
        self,
        level: Severity | str,
        levels: Mapping[str, Severity | str] | None = None,
        *,
        for_seconds: float | None = None,
    ) -> None:
        """Change the levels while the process runs.

        Args:
            level: For loggers without an entry in `levels`.
            levels: By logger name or dotted prefix. Default: the configured ones stay.
            for_seconds: The change reverts by itself after this time, in forked children too. Default: it
                stays, and ends a time box of levels that runs.

        Raises:
            ConfigurationError: `setting-invalid`, if a level is unknown or the time is no time.
        """
        rules.set_level(
            self._pipeline, level, self.settings.levels if levels is None else levels, for_seconds
        )

    def set_rules(self, rules_by_pattern: rules.Rules, *, for_seconds: float | None = None) -> None:
        """Change the rules by scope while the process runs; they replace the configured ones.

        The first rule whose pattern matches the name of a scope applies to all its loggers, whether of
        fapilog, of the OpenTelemetry API or of `logging`. Records that a rule drops count as filtered.

        Args:
            rules_by_pattern: `{"urllib3.*": "off", "shop.*": "debug+trace_based"}`, or `LoggerRule`s.
            for_seconds: As in `set_level`.

        Raises:
            ConfigurationError: `setting-invalid`, if a rule is wrong or the time is no time.

        Example:
            >>> with LoggerProvider(exporters=["none"]) as provider:
            ...     provider.set_rules({"shop.*": "debug"}, for_seconds=600)
        """
        rules.set_rules(self._pipeline, rules_by_pattern, for_seconds)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until nothing that was accepted before this call is pending.

        What a receiver refused for good, or what was dropped, is not pending: `ledger()` tells.

        Args:
            timeout_millis: Longest wait. Default 30 000 (OTEL_BLRP_EXPORT_TIMEOUT, OTel specification).

        Returns:
            False when the time ran out first; the records stay queued.
        """
        return self._pipeline.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: int | None = None) -> bool:  # type: ignore[override]
        """Refuse new records, deliver what is there, end the threads; count what is left then as dropped.

        Args:
            timeout_millis: Longest wait. Default: `buffer.shutdown_timeout_millis`.

        Returns:
            True when nothing was left. A second call does nothing and returns True.
        """
        if self._shut_down:
            return True
        self._shut_down = True
        limit = self.settings.buffer.shutdown_timeout_millis if timeout_millis is None else timeout_millis
        return self._pipeline.shutdown(limit)

    def finish(self) -> bool:
        """Flush at the end of the process, within the shutdown timeout; later records are still taken."""
        return self._shut_down or self._pipeline.force_flush(self.settings.buffer.shutdown_timeout_millis)

    def ledger(self) -> ledger.Ledger:
        """Return what became of every record so far."""
        return ledger.from_native(self._pipeline.ledger(), console="console" in self.exporters)

    def __enter__(self) -> LoggerProvider:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> LoggerProvider:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()


def _context(record: LogRecord) -> Context | None:
    """The record's context, or one with the record's own ids where they were set without it (deprecated)."""
    trace_id: int = getattr(record, "trace_id", None) or 0
    if not trace_id:
        return record.context
    span = trace.get_current_span(record.context).get_span_context()
    if span.trace_id == trace_id and span.span_id == record.span_id:
        return record.context
    flags = trace.TraceFlags(record.trace_flags or 0)
    own = trace.SpanContext(trace_id, record.span_id or 0, is_remote=False, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(own), record.context)


def _corrected(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record, those of a wrong type left out or made text."""
    number = fields["severity_number"]
    return {
        **fields,
        "severity_number": number if isinstance(number, int) and 0 <= number <= 24 else 0,
        "severity_text": valid_text(fields["severity_text"]),
        "time_unix_nano": _uint64(fields["time_unix_nano"]),
        "observed_time_unix_nano": _uint64(fields["observed_time_unix_nano"]),
        "event_name": valid_text(fields["event_name"]),
    }


def _uint64(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**64 else None


class OtelLogger(ApiLogger):
    """A logger of the OpenTelemetry API whose records go through native capture. Never raises."""

    def __init__(
        self,
        handle: _native.PipelineHandle,
        name: str,
        version: str | None,
        schema_url: str | None,
        attributes: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(name, version, schema_url, attributes)
        self._native = _native.Logger(
            handle,
            name,
            version=valid_text(version),
            schema_url=valid_text(schema_url),
            scope_attributes=dict(attributes) if attributes else None,
        )

    def emit(  # noqa: PLR0913 - the OpenTelemetry API's signature
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: Any = None,
        attributes: Mapping[str, Any] | None = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Emit one record, given as a `LogRecord` or field by field (OTel API, both forms).

        A field of the wrong type is left out, or becomes text; the record is kept.
        """
        try:
            if record is not None:
                timestamp, observed_timestamp = record.timestamp, record.observed_timestamp
                context, severity_number = _context(record), record.severity_number
                severity_text, body, attributes = record.severity_text, record.body, record.attributes
                event_name, exception = record.event_name, record.exception
            fields: dict[str, Any] = {
                "body": body,
                "severity_number": getattr(severity_number, "value", severity_number) or 0,
                "severity_text": severity_text or "",
                "time_unix_nano": timestamp,
                "observed_time_unix_nano": observed_timestamp,
                "attributes": attributes,
                "event_name": event_name,
                "context": context,
                "exception": exception,
            }
            self._emit(fields)
        except Exception as error:
            what = f"a record of logger {self._name!r} is not one of OpenTelemetry's: {error}"
            say("otel-record-lost", what, self._name)

    def _emit(self, fields: dict[str, Any]) -> None:
        try:
            self._native.emit_record(**fields)
        except Exception:
            # Raised while the arguments were read, so nothing was emitted yet.
            self._native.emit_record(**_corrected(fields))

    def enabled(
        self,
        *,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,  # noqa: ARG002 - the OpenTelemetry API's signature
    ) -> bool:
        """Tell whether a record of this severity would be kept now; an unspecified one passes every level."""
        number = severity_number.value if severity_number is not None else 0
        return self._native.is_enabled_for(number, context)
