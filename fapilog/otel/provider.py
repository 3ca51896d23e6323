"""Stage 1 of 7, emit: the OpenTelemetry logs API over our pipeline. Thread: caller.

One provider is one isolated pipeline: its own buffer, threads, ledger and loggers; two share nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from opentelemetry._logs import Logger as ApiLogger
from opentelemetry._logs import NoOpLogger
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import LogRecordLimits, LogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fapilog import _native, ledger, lifecycle, otel_private, self_observability
from fapilog.batch import record_builder
from fapilog.bounded_calls import BoundedCalls
from fapilog.diagnostics import say
from fapilog.enrichers.base import Enricher
from fapilog.enrichers.enrichment import Enrichment
from fapilog.exporters.auth import AnyAuth
from fapilog.exporters.base import AnyExporter
from fapilog.otel import given, limits, rules
from fapilog.otel.loggers import Configurator, Loggers
from fapilog.otel.outlet import Outlet
from fapilog.otel.processors import ProcessorChain
from fapilog.otel.resource import build_resource, described_in_children
from fapilog.redaction.inventory import Inventory
from fapilog.settings import Settings
from fapilog.severity import Severity
from fapilog.timings import Timings
from fapilog.values import valid_text


class LoggerProvider(otel_private.ProviderHooks, SdkLoggerProvider):
    """An isolated pipeline behind the OpenTelemetry logs API.

    `configure_otel()` makes one for the process; make more for parts that must not share a buffer, an
    exporter or a policy. A subclass of the SDK's, so code that asks for one accepts it.

    Args:
        resource: Attached to every record. Default: from `settings.service` and OpenTelemetry's detectors.
        shutdown_on_exit: Whether the end of the process flushes this provider. Default: yes.
        multi_log_record_processor: A processor that stands for several, as the SDK takes it; the first one.
        settings: Default: `Settings()`, which reads the environment.
        exporters: Names, exporters of fapilog and `LogRecordExporter`s of OpenTelemetry, mixed. Default:
            `settings.exporters`, else `otlp`.
        batch_processors: Names of plugins (`fapilog.processors`), async functions, or objects with
            `async def process(batch)`, that see every block before the exporters do
            (`docs/how-to/process_batches.md`). Default: `settings.batch_processors`, else none.
        processors: Names of plugins (`fapilog.processors`) and `LogRecordProcessor`s of OpenTelemetry, mixed,
            as `add_log_record_processor` takes them. Default: `settings.processors`, else none.
        auth: A function that returns request headers for `otlp` (`docs/how-to/send_to_vendors.md`).
        enrichers: Names, mappings, functions and async functions, mixed, that give every record further
            attributes (`docs/how-to/enrich_records.md`). Default: `settings.enrichers`, else none.
        meter_provider: Takes the metrics of this pipeline if `self_observability` is set. Default: none;
            `configure_otel()` uses the one of the process.
        log_record_limits: Win over `settings.limits`.

    Raises:
        ConfigurationError: If a setting is wrong.

    Example:
        >>> from fapilog import LoggerProvider
        >>> with LoggerProvider(exporters=["none"]) as provider:
        ...     provider.get_logger("jobs").emit(body="started")
        ...     provider.ledger().accepted
        1
    """

    def __init__(  # noqa: PLR0913 - the SDK's arguments, and ours
        self,
        resource: Resource | None = None,
        shutdown_on_exit: bool = True,
        multi_log_record_processor: LogRecordProcessor | None = None,
        *,
        settings: Settings | None = None,
        exporters: Sequence[AnyExporter] | None = None,
        batch_processors: Iterable[Any] | None = None,
        processors: Iterable[str | LogRecordProcessor] | None = None,
        auth: AnyAuth = None,
        enrichers: Iterable[str | Enricher] | None = None,
        meter_provider: MeterProvider | None = None,
        log_record_limits: LogRecordLimits | None = None,
        **private: Any,
    ) -> None:
        configurator = otel_private.logger_configurator(private, _where_else)
        self.settings = limits.applied(settings if settings is not None else Settings(), log_record_limits)
        self.timings = Timings(budget_seconds=self.settings.plugins.call_budget_micros / 1e6)
        named = given.log_record_processors(processors, self.settings)
        chosen = exporters if exporters is not None else self.settings.exporters
        # What is there without being asked for.
        self._by_default = chosen is None and not self.settings.disabled
        chosen = chosen if chosen is not None else ("otlp",)
        self._outlet = Outlet(
            self.settings, chosen, batch_processors, timings=self.timings, auth=auth, enrichers=enrichers
        )
        if resource is not None and not isinstance(resource, Resource):
            remedy = "pass a Resource of OpenTelemetry: Resource.create({...})"
            raise given.wrong("resource", resource, "is no resource", remedy)
        resource = resource if resource is not None else build_resource(self.settings)
        resource = self.enrichment.describe(resource)
        sdk_limits = limits.of(self.settings)
        super().__init__(resource, False, meter_provider=meter_provider, log_record_limits=sdk_limits)
        self._pipeline = self._outlet.open(resource, described_in_children(self))
        self.handle = _native.PipelineHandle()
        self.handle.attach(None if self.settings.disabled else self._pipeline)
        self._chain = ProcessorChain(resource, sdk_limits, self.timings)
        self._loggers = Loggers(self.handle, self._chain, self._outlet, configurator)
        self._flushing: BoundedCalls | None = None
        self._shut_down = False
        for processor in [multi_log_record_processor, *named]:
            if processor is not None:
                self.add_log_record_processor(processor)
        if shutdown_on_exit:
            lifecycle.register(self)
        if meter_provider is not None and self.settings.self_observability:
            self_observability.observe(self, meter_provider)

    @property
    def outlet(self) -> Outlet:
        """Stages 5 to 7: pipelines and exporters."""
        return self._outlet

    @property
    def creates_records(self) -> bool:
        """True: its loggers make the records (`otel.sdk.log.created`)."""
        return True

    @property
    def pipeline(self) -> _native.Pipeline:
        """The native pipeline, for handles and for tests."""
        return self._pipeline

    @property
    def enrichment(self) -> Enrichment:
        """What enrichers add to the records and to the resource."""
        return self._outlet.enrichment

    @property
    def exporters(self) -> tuple[str, ...]:
        """The names of the exporters in the ledger, in order; the console is the last."""
        return self._outlet.names

    @property
    def processor_failures(self) -> int:
        """Calls of log record processors that raised; each went on with the record, and was said."""
        return self._chain.failures

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> ApiLogger:
        """Return a logger for an instrumentation scope; the same one for the same scope.

        A name that is empty or no text is said once, and the logger works. After `shutdown()`, and when the
        settings say `disabled`, the logger does nothing (OTel logs SDK).
        """
        if self._shut_down or self.settings.disabled:
            return NoOpLogger(name, version, schema_url, attributes)
        return self._loggers.get(name, version, schema_url, attributes)

    def logger(self, name: str, /, **attributes: Any) -> _native.Logger:
        """Return a fapilog logger for an instrumentation scope whose records go through this provider.

        `fapilog.get_logger` does the same for the provider of the process.

        Args:
            name: The instrumentation scope; usually `__name__`.
            **attributes: Bound to every record, as by `Logger.bind`.

        Example:
            >>> with LoggerProvider(exporters=["none"]) as provider:
            ...     _ = provider.logger("jobs", queue="mail").info("started")
            ...     provider.ledger().accepted
            1
        """
        bound = _native.BoundAttributes(attributes) if attributes else None
        return _native.Logger(self.handle, valid_text(name), bound=bound)

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Run a processor of the SDK on every record, on the caller, after the ones added before it.

        It gets the record as it would be exported: limited and without secrets. What it changes is kept, and
        limited and redacted again before the next one, exporters, console and taps get it. What it raises is
        said and counted (`processor_failures`), and the record goes on. A record that it logs itself does not
        pass the processors of this provider again.

        `BatchLogRecordProcessor` and `SimpleLogRecordProcessor` work with any exporter. One that sends OTLP
        beside the exporter `otlp`, which a provider has unless told otherwise, delivers every record a second
        time; that is said once.
        """
        if self._shut_down:
            return
        sender = otel_private.sends_otlp(log_record_processor) if self._by_default else ""
        if sender:
            say(
                "delivered-twice",
                f"{sender} of a processor sends what the exporter 'otlp' of this LoggerProvider sends by"
                " default; leave the processor out, or say exporters=['none']",
                "",
            )
        self._chain.add(log_record_processor)
        self._pipeline.set_processors(self._chain, self._chain.make_scope, record_builder)

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

    def export_recorded(self, trace_id: int | None = None) -> int:
        """Export what the flight recorder kept of a trace, and its later records at once.

        Args:
            trace_id: Default: the trace of the current span.

        Returns:
            How many records were exported.
        """
        return self._pipeline.export_recorded(trace_id)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until nothing accepted before this call is pending, here, in processors and in exporters.

        The timeout comes first; the exporters' own `force_flush` comes last. What a receiver refused for
        good, or what was dropped, is not pending: `ledger()` tells.

        Args:
            timeout_millis: Longest wait. Default 30 000 (OTEL_BLRP_EXPORT_TIMEOUT, OTel specification).

        Returns:
            False when the time ran out first, or a processor said no; the records stay queued.
        """
        deadline = time.monotonic() + timeout_millis / 1_000
        flushing = self._flush_processors(timeout_millis, deadline)
        flushed = self._outlet.force_flush(timeout_millis)
        return flushed and flushing is not None and flushing.wait(deadline)

    def _flush_processors(self, timeout_millis: int, deadline: float) -> BoundedCalls | None:
        """Start their flushes, which may take longer than told; None while earlier ones still run."""
        earlier = self._flushing
        if earlier is not None and earlier.running:
            earlier.wait(deadline)
            if earlier.running:
                return None
        self._flushing = BoundedCalls(self._chain.flushes(timeout_millis))
        return self._flushing

    def shutdown(self, timeout_millis: int | None = None) -> bool:  # type: ignore[override]
        """Refuse new records, deliver what is there, end processors and threads; count what is left then.

        Args:
            timeout_millis: Longest wait. Default: `buffer.shutdown_timeout_millis`.

        Returns:
            True when nothing was left and every processor ended in time. A second call does nothing and
            returns True.
        """
        if self._shut_down:
            return True
        self._shut_down = True
        limit = self.settings.buffer.shutdown_timeout_millis if timeout_millis is None else timeout_millis
        deadline = time.monotonic() + limit / 1_000
        self._pipeline.close()
        ending = BoundedCalls(self._chain.shutdowns())
        drained = self._outlet.shutdown(limit)
        ended = ending.wait(deadline)
        self._pipeline.clear_processors()
        return drained and ended

    def finish(self) -> bool:
        """Flush at the end of the process, within the shutdown timeout, and shut Python exporters down.

        Later records are still taken, and leave through native exporters.
        """
        if self._shut_down:
            return True
        limit = self.settings.buffer.shutdown_timeout_millis
        deadline = time.monotonic() + limit / 1_000
        flushing = self._flush_processors(limit, deadline)
        finished = self._outlet.finish(limit)
        return finished and flushing is not None and flushing.wait(deadline)

    def ledger(self) -> ledger.Ledger:
        """Return what became of every record so far."""
        return self._outlet.ledger()

    def inventory(self) -> Inventory:
        """Return where stage 3 hid values of which types so far; see `Telemetry.inventory`."""
        return self._outlet.inventory()

    def configure_loggers(self, configurator: Configurator) -> None:
        """Let a `LoggerConfigurator` of the SDK decide about each logger, beside the rules."""
        self._loggers.configure(configurator)

    def resource_changed(self) -> None:
        """Let processors find the resource that the SDK changed, in a forked child for one."""
        self._chain.resource = self.resource

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


def _where_else(names: Collection[str]) -> str:
    """What to do about arguments that `configure_otel()` would take."""
    settings = [name for name in sorted(names) if name.partition(".")[0] in Settings.model_fields]
    hints = (
        [f"pass settings=Settings.load({', '.join(f'{name}=...' for name in settings)})"] if settings else []
    )
    if "on_error" in names:
        hints.append("on_error is told to configure_otel()")
    return f"; {' and '.join(hints)}" if hints else ""
