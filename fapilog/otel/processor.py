"""Stage 1 of 7, emit: the drop-in for OpenTelemetry's `BatchLogRecordProcessor`. Thread: caller.

A provider of the SDK hands its records over here; each is encoded and redacted before `on_emit` returns, and
takes stages 3 to 7 of ours. The limits are the SDK's: they were applied already.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native, ledger, lifecycle, self_observability
from fapilog.diagnostics import is_delivering, say, shown_error
from fapilog.enrichers.base import Enricher
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.exporters.auth import AnyAuth
from fapilog.exporters.base import AnyExporter
from fapilog.otel.lanes import Lanes
from fapilog.otel.outlet import Outlet
from fapilog.otel.rules import Rules
from fapilog.settings import Settings
from fapilog.severity import Severity
from fapilog.timings import Timings

# OTel logs SDK, batching processor: what an exporter of OpenTelemetry gets at most, unless told otherwise.
_EXPORT_BATCH_RECORDS = 512
_UNLIMITED = 2**31 - 1


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
        batch_processors: As `LoggerProvider` takes them; log record processors belong to the other provider.
        auth: As `LoggerProvider` takes it.
        enrichers: As `LoggerProvider` takes them.

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
        exporters: Iterable[AnyExporter] | None = None,
        batch_processors: Iterable[Any] | None = None,
        auth: AnyAuth = None,
        enrichers: Iterable[str | Enricher] | None = None,
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
        if self.settings.processors:
            names, origin = ", ".join(self.settings.processors), self.settings.origin("processors")
            what = f"the processors {names} ({origin}) run on a provider of fapilog alone: add them to yours"
            say("processors-unused", what)
        self.timings = Timings(budget_seconds=self.settings.plugins.call_budget_micros / 1e6)
        self.outlet = Outlet(
            self.settings, exporters, batch_processors, timings=self.timings, auth=auth, enrichers=enrichers
        )
        self._lanes = Lanes(self.outlet, self.settings)
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
            self._lanes.of(log_record.resource).emit(log_record)
        except Exception as error:
            what = f"a record of an OpenTelemetry provider could not be read: {shown_error(error)}"
            say("otel-record-lost", what, "processor")

    def enabled(
        self,
        *,
        context: Context | None = None,
        instrumentation_scope: InstrumentationScope | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> bool:
        """Tell whether levels and rules would keep such a record; without a severity, whether they might."""
        try:
            number = getattr(severity_number, "value", None) or 0
            return not self._shut_down and self._lanes.allows(instrumentation_scope, number, context)
        except Exception as error:
            what = f"a question about a record could not be read: {shown_error(error)}"
            say("otel-record-lost", what, "enabled")
            return True

    def set_level(
        self,
        level: Severity | str,
        levels: Mapping[str, Severity | str] | None = None,
        *,
        for_seconds: float | None = None,
    ) -> None:
        """Change the levels while the process runs; see `LoggerProvider.set_level`."""
        self._lanes.set_level(level, levels, for_seconds)

    def set_rules(self, rules_by_pattern: Rules, *, for_seconds: float | None = None) -> None:
        """Change the rules by scope while the process runs; see `LoggerProvider.set_rules`."""
        self._lanes.set_rules(rules_by_pattern, for_seconds)

    def export_recorded(self, trace_id: int | None = None) -> int:
        """Export what the flight recorder kept of a trace; see `LoggerProvider.export_recorded`."""
        return sum(pipeline.export_recorded(trace_id) for pipeline in self.outlet.pipelines)

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
        return self._lanes.of(resource).handle


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
