"""`configure_otel()`: one call sets up logs through our pipeline, traces and metrics through the stock SDK.

Threads: the configuring one. Nothing per record happens here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.sdk.resources import Resource

from fapilog import hooks, lifecycle, otel_private, pipeline
from fapilog.bounded_calls import BoundedCalls
from fapilog.bridges import stdlib
from fapilog.diagnostics import OnError, say
from fapilog.errors import ConfigurationError, ExportError, FapilogError, LifecycleError
from fapilog.exporters import console
from fapilog.ledger import Ledger
from fapilog.logger import default_handle
from fapilog.otel import signals
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.resource import build_resource
from fapilog.settings import Settings
from fapilog.severity import Severity

_Provider = TypeVar("_Provider")
_EXPORT_CODES = ("endpoint-unreachable", "export-timeout", "export-rejected")


@dataclass(frozen=True)
class Health:
    """How the log pipeline is doing.

    Attributes:
        status: `ok`; `pressure` while the buffer sheds; `losing` once records were dropped; `shut_down`.
        buffer_bytes: Memory in use by queued records.
        buffer_limit_bytes: Its bound.
        shedding_below: Severity below which records are shed now; 0: none.
        pending: Records not decided yet, of the exporter that has most.
        lost: Records refused (but for a shutdown) or dropped so far.
    """

    status: str
    buffer_bytes: int
    buffer_limit_bytes: int
    shedding_below: int
    pending: int
    lost: int


class Telemetry:
    """What `configure_otel()` returns: the three providers, flush, shutdown, ledger and health.

    A context manager, sync and async: leaving it shuts down.
    """

    def __init__(  # noqa: PLR0913 - what `configure_otel` collected, one name each
        self,
        *,
        logger_provider: LoggerProvider,
        tracer_provider: trace.TracerProvider,
        meter_provider: metrics.MeterProvider,
        undo: Sequence[Callable[[], object]],
        on_error: OnError | None,
        ours: Sequence[Any] = (),
    ) -> None:
        self.logger_provider = logger_provider
        self.tracer_provider = tracer_provider
        self.meter_provider = meter_provider
        self.on_error = on_error
        self._undo = list(undo)
        self._ours = tuple(ours)
        self._flushing: BoundedCalls | None = None
        self._open = True

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.logger_provider.settings

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Wait until logs, spans and metrics recorded before this call have left.

        Args:
            timeout_millis: Longest wait for all three. Default: 30 000 (`buffer.export_timeout_millis`,
                OTEL_BLRP_EXPORT_TIMEOUT).

        Returns:
            True when no log record is pending and the stock providers said yes. What was refused for good or
            dropped is not pending; `ledger()` tells.
        """
        limit = self.settings.buffer.export_timeout_millis if timeout_millis is None else timeout_millis
        deadline = time.monotonic() + limit / 1_000
        flushed = self.logger_provider.force_flush(limit)
        return self._flush_others(limit, deadline) and flushed

    def _flush_others(self, limit: int, deadline: float) -> bool:
        """Flush spans and metrics; their providers may take longer than told, so not twice at once."""
        earlier = self._flushing
        if earlier is not None and earlier.running:
            earlier.wait(deadline)
            if earlier.running:
                return False
        providers = (self.tracer_provider, self.meter_provider) if self._open else ()
        calls = [partial(_call, provider, "force_flush", limit) for provider in providers]
        self._flushing = BoundedCalls(calls)
        return self._flushing.wait(deadline)

    def shutdown(self, timeout_millis: int | None = None) -> bool:
        """Deliver what is there, end the threads, and put back what was installed. Safe to call twice.

        Args:
            timeout_millis: Longest wait. Default: 5 000 (`buffer.shutdown_timeout_millis`).

        Returns:
            True when every log record was decided in time; what was left is counted as dropped (`shutdown`).
        """
        global _current  # noqa: PLW0603
        with _lock:
            if not self._open:
                return True
            self._open = False
            if _current is not None and _current.telemetry is self:
                _current = None
        limit = self.settings.buffer.shutdown_timeout_millis if timeout_millis is None else timeout_millis
        deadline = time.monotonic() + limit / 1_000
        others = BoundedCalls(provider.shutdown for provider in self._ours)
        _undo(self._undo)
        drained = self.logger_provider.shutdown(limit)
        if not others.wait(deadline):
            say("stock-exporter", f"spans or metrics were not delivered within {limit} ms", "shutdown")
        return drained

    def ledger(self) -> Ledger:
        """Return what became of every log record so far; both its equations hold at any moment."""
        return self.logger_provider.ledger()

    def health(self) -> Health:
        """Return how the log pipeline is doing; cheap enough for a health endpoint."""
        ledger = self.ledger()
        used, floor = self.logger_provider.pipeline.pressure()
        dropped = (sum(side.dropped.values()) for side in ledger.exporters.values())
        lost = sum(ledger.refused.values()) - ledger.refused.get("shut_down", 0) + max(dropped, default=0)
        status = "losing" if lost else "pressure" if floor else "ok"
        return Health(
            status=status if self._open else "shut_down",
            buffer_bytes=used,
            buffer_limit_bytes=self.settings.buffer.limit_bytes,
            shedding_below=floor,
            pending=max((side.pending for side in ledger.exporters.values()), default=0),
            lost=lost,
        )

    def set_level(self, level: Severity | str, levels: Mapping[str, Severity | str] | None = None) -> None:
        """Change the levels while the process runs.

        Args:
            level: For loggers without a rule.
            levels: Rules by logger name or dotted prefix. Default: the configured ones stay.

        Raises:
            ConfigurationError: `setting-invalid`, if a level is unknown.
        """
        rules = self.settings.levels if levels is None else levels
        checked = Settings.load(environ={}, level=level, levels=dict(rules))
        self.logger_provider.pipeline.set_levels(*pipeline.levels(checked))

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Telemetry:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()


@dataclass(frozen=True)
class _Configured:
    telemetry: Telemetry
    fingerprint: tuple[object, ...]
    by_default: bool


_lock = threading.RLock()
_current: _Configured | None = None


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603
    # Another thread of the parent may hold it for ever.
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def configure_otel(  # noqa: PLR0913 - settings by keyword are the point
    service_name: str | None = None,
    *,
    settings: Settings | None = None,
    exporters: Iterable[str] | None = None,
    compliance: Iterable[str] | None = None,
    resource: Resource | Mapping[str, object] | None = None,
    on_error: Callable[[FapilogError], object] | None = None,
    **overrides: Any,
) -> Telemetry:
    """Set up logs, traces and metrics for the process, and return the handle to them.

    Log records of fapilog, of the OpenTelemetry API and of `logging` go through our pipeline; traces and
    metrics through the stock SDK. A provider that somebody installed before is reused. Called again with the
    same arguments it returns the same `Telemetry`.

    Args:
        service_name: `service.name` of the resource (OTEL_SERVICE_NAME).
        settings: A complete `Settings`; default: the environment.
        exporters: Of `otlp`, `console`, `none` (FAPILOG_EXPORTERS, OTEL_LOGS_EXPORTER). Default: `otlp`, and
            `console` when its stream is a terminal.
        compliance: Compliance profiles; none in this version (FAPILOG_COMPLIANCE).
        resource: Further resource attributes; they win.
        on_error: Called with errors of the logger, isolated and at most once a second per code.
        **overrides: Any other setting by its name, such as `level="debug"` or `buffer={"overflow": "wait"}`.

    Raises:
        ConfigurationError: If a setting is wrong; one error lists all, with values, origins and remedies.
        LifecycleError: `already-configured`, if the arguments differ from those of the first call.

    Example:
        >>> import fapilog
        >>> telemetry = fapilog.configure_otel("orders", exporters=["none"])
        >>> telemetry.shutdown()
        True
    """
    named = {"service.name": service_name, "exporters": _tuple(exporters), "compliance": _tuple(compliance)}
    given = {name: value for name, value in named.items() if value is not None} | overrides
    loaded = _merge(settings, given)
    return _configure(loaded, resource, on_error, by_default=False)


def current() -> Telemetry | None:
    """Return what the process is configured with; None before `configure_otel()` and after `shutdown()`."""
    configured = _current
    return None if configured is None else configured.telemetry


def configure_defaults() -> None:
    """Configure the process for a record before `configure_otel()`: console; OTLP when an endpoint is set.

    Never raises: settings that are wrong are said on stderr, and the console alone is used.
    """
    with _lock:
        if _current is not None:
            return
        try:
            settings = Settings()
            if settings.exporters is None:
                endpoint_set = settings.origin("otlp.endpoint") != "default"
                chosen = ("otlp", "console") if endpoint_set else ("console",)
                settings = _merge(settings, {"exporters": chosen})
            _configure(settings, None, None, by_default=True)
        except FapilogError as error:
            until = "only the console is used until configure_otel() is called"
            say("configuration-failed", f"{_in_one_line(error)}; {until}")
            fallback = Settings.load(environ={}, exporters=("console",))
            _configure(fallback, None, None, by_default=True)


def _in_one_line(error: FapilogError) -> str:
    settings = error.settings if isinstance(error, ConfigurationError) else ()
    values = ", ".join(f"{setting.name} = {setting.value} from {setting.origin}" for setting in settings)
    return f"{error.what} ({values})" if values else error.what


def on_notice(code: str, message: str) -> None:
    """Tell the application's `on_error` what native threads met; called on a thread that logs or flushes."""
    current = _current
    if current is not None and current.telemetry.on_error is not None:
        kind = ExportError if code in _EXPORT_CODES else FapilogError
        current.telemetry.on_error(kind(code, message))


def _configure(
    settings: Settings,
    resource: Resource | Mapping[str, object] | None,
    on_error: Callable[[FapilogError], object] | None,
    *,
    by_default: bool,
) -> Telemetry:
    global _current  # noqa: PLW0603
    attributes = dict(resource.attributes) if isinstance(resource, Resource) else dict(resource or {})
    fingerprint = (settings, tuple(sorted(attributes.items(), key=str)), on_error)
    with _lock:
        if _current is not None and not _current.by_default:
            if _current.fingerprint == fingerprint:
                return _current.telemetry
            raise LifecycleError(
                "already-configured",
                "configure_otel() was called before with other arguments",
                _changes(settings),
            )
        # What is wrong with the arguments shows here, while the defaults that log until now are still in
        # force.
        provider = LoggerProvider(
            build_resource(settings, resource), settings=settings, exporters=_exporters(settings)
        )
        dispatcher = OnError(on_error) if on_error is not None else None
        replaced, _current = _current, None
        if replaced is not None:
            replaced.telemetry.shutdown()
        telemetry = _install(provider, dispatcher)
        _current = _Configured(telemetry, fingerprint, by_default)
        return telemetry


def _install(provider: LoggerProvider, on_error: OnError | None) -> Telemetry:
    """Put the providers and the bridges in place; when one fails, those before it are taken out again."""
    settings, undo = provider.settings, list[Callable[[], object]]()
    signals.quiet_exporters()
    ours: list[Any] = []
    try:
        tracers = _install_stock("trace", signals.tracer_provider, provider, undo, ours)
        meters = _install_stock("metrics", signals.meter_provider, provider, undo, ours)
        undo += _install_logs(provider)
        default_handle.attach(None if settings.disabled else provider.pipeline)
        # After the shutdown records are refused; without any pipeline the next one would configure defaults.
        undo.append(lambda: default_handle.attach(provider.pipeline))
        if settings.capture_stdlib and not settings.disabled:
            undo.append(stdlib.install(provider.handle, capture_warnings=settings.capture_warnings))
        if settings.exception_hooks and not settings.disabled:
            undo.append(hooks.install())
    except BaseException:
        _undo(undo)
        BoundedCalls(provider.shutdown for provider in ours)
        raise
    if settings.exit_report:
        lifecycle.report_at_exit(provider)
    return Telemetry(
        logger_provider=provider,
        tracer_provider=tracers,
        meter_provider=meters,
        undo=undo,
        on_error=on_error,
        ours=ours,
    )


def _install_stock(
    signal: str,
    make: Callable[[Resource, Sequence[str]], tuple[_Provider, bool]],
    logs: LoggerProvider,
    undo: list[Callable[[], object]],
    ours: list[Any],
) -> _Provider:
    """Install a stock provider with the resource of `logs`; disabled, it exports nothing."""
    settings = logs.settings
    variable = signals.VARIABLES[signal]
    names = () if settings.disabled else signals.exporters(variable, otlp="otlp" in logs.exporters)
    provider, made_here = make(logs.resource, names)
    if made_here:
        ours.append(provider)
        undo.append(_ending(signal, provider, settings.buffer.shutdown_timeout_millis))
    return provider


def _install_logs(provider: LoggerProvider) -> list[Callable[[], object]]:
    if otel_private.installed_logger_provider() is not None:
        say(
            "provider-reused",
            "another logger provider is installed; the OpenTelemetry logs API stays with it",
            "logs",
        )
        return []
    otel_private.install_logger_provider(provider)
    return [lambda: otel_private.mark_ended("logs", provider)]


def _ending(signal: str, provider: Any, timeout_millis: int) -> Callable[[], object]:
    lifecycle.shut_down_at_exit(provider, timeout_millis)

    def end() -> None:
        lifecycle.forget(provider)
        otel_private.mark_ended(signal, provider)

    return end


def _undo(steps: Iterable[Callable[[], object]]) -> None:
    for step in reversed(tuple(steps)):
        step()


def _exporters(settings: Settings) -> tuple[str, ...]:
    if settings.exporters is not None:
        return settings.exporters
    return ("otlp", "console") if console.on_terminal(settings.console) else ("otlp",)


def _merge(settings: Settings | None, given: Mapping[str, Any]) -> Settings:
    if settings is None:
        return Settings.load(**given)
    return settings.with_changes(**given) if given else settings


def _changes(settings: Settings) -> list[str]:
    before = {row.name: str(row.value) for row in _current.telemetry.settings.explain()} if _current else {}
    rows = [(row.name, before.get(row.name, ""), str(row.value)) for row in settings.explain()]
    return [f"{name}: {old} before, {new} now" for name, old, new in rows if old != new]


def _tuple(values: Iterable[str] | None) -> tuple[str, ...] | None:
    if values is None:
        return None
    return (values,) if isinstance(values, str) else tuple(values)


def _call(provider: object, method: str, *arguments: Any) -> bool:
    """Call a method of a provider that may not have it (API stand-ins) and may answer None for yes."""
    function = getattr(provider, method, None)
    if function is None:
        return True
    try:
        return function(*arguments) is not False
    except Exception as error:
        say("stock-exporter", f"{type(provider).__name__}.{method} failed: {error}", method)
        return False
