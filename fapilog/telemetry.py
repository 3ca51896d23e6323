"""`configure_otel()`: one call sets up logs through our pipeline, traces and metrics through the stock SDK.

Threads: the configuring one. Nothing per record happens here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.sdk.resources import Resource

from fapilog import hooks, lifecycle, otel_private, self_observability
from fapilog.bounded_calls import BoundedCalls
from fapilog.bridges import stdlib
from fapilog.diagnostics import OnError, say
from fapilog.enrichers.base import Enricher
from fapilog.errors import ConfigurationError, ExportError, FapilogError, LifecycleError
from fapilog.exporters import console
from fapilog.exporters.auth import AnyAuth
from fapilog.exporters.base import AnyExporter
from fapilog.logger import default_handle
from fapilog.otel import signals
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.resource import build_resource
from fapilog.providers import Health, Telemetry, take_back
from fapilog.settings import Settings
from fapilog.settings.variables import VARIABLE_NAMES

__all__ = [
    "Health",
    "Telemetry",
    "adopt",
    "chosen_exporters",
    "configure_defaults",
    "configure_otel",
    "current",
    "on_notice",
]

_Provider = TypeVar("_Provider")
_EXPORT_CODES = ("endpoint-unreachable", "export-timeout", "export-rejected", "exporter-failed")


@dataclass(frozen=True)
class _Configured:
    telemetry: Telemetry
    fingerprint: tuple[object, ...]
    by: Literal["call", "defaults", "distribution"]


_lock = threading.RLock()
_current: _Configured | None = None


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603
    # Another thread of the parent may hold it for ever.
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _let_go(telemetry: Telemetry) -> bool:
    """Tell the first shutdown of a `Telemetry` from later ones; the process may be configured again."""
    global _current  # noqa: PLW0603
    with _lock:
        first, telemetry.is_open = telemetry.is_open, False
        if _current is not None and _current.telemetry is telemetry:
            _current = None
        return first


@dataclass(frozen=True)
class _Python:
    """What `configure_otel()` was given as objects, which no setting can hold."""

    exporters: tuple[AnyExporter, ...] = ()
    batch_processors: tuple[Any, ...] = ()
    auth: AnyAuth = None
    enrichers: tuple[str | Enricher, ...] | None = None


_NOTHING = _Python()


def configure_otel(  # noqa: PLR0913 - settings by keyword are the point
    service_name: str | None = None,
    *,
    settings: Settings | None = None,
    exporters: Iterable[AnyExporter] | None = None,
    batch_processors: Iterable[Any] = (),
    auth: AnyAuth = None,
    enrichers: Iterable[str | Enricher] | None = None,
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
        exporters: Names (FAPILOG_EXPORTERS, OTEL_LOGS_EXPORTER), exporters of fapilog and
            `LogRecordExporter`s of OpenTelemetry, mixed. Default: `otlp`, and `console` when its stream is a
            terminal.
        batch_processors: Async functions, or objects with `async def process(batch)`, that see every block
            before the exporters do.
        auth: A function that returns request headers for `otlp`, or headers and the seconds for which they
            are good; called again before they end and when they are refused. Or such functions by exporter.
        enrichers: Names (FAPILOG_ENRICHERS), mappings, functions and async functions, mixed, that give every
            record further attributes.
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
    names, objects = _sorted_out(exporters)
    enricher_names, mixed = _sorted_enrichers(enrichers)
    named = {
        "service.name": service_name,
        "exporters": names,
        "enrichers": enricher_names,
        "compliance": _tuple(compliance),
    }
    given = {name: value for name, value in named.items() if value is not None} | overrides
    loaded = _merge(settings, given)
    python = _Python(objects, tuple(batch_processors), auth, mixed)
    return _configure(loaded, resource, on_error, "call", python)


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
            _configure(settings, None, None, "defaults")
        except FapilogError as error:
            until = "only the console is used until configure_otel() is called"
            say("configuration-failed", f"{_in_one_line(error)}; {until}")
            fallback = Settings.load(environ={}, exporters=("console",))
            _configure(fallback, None, None, "defaults")


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
    by: Literal["call", "defaults"],
    python: _Python = _NOTHING,
) -> Telemetry:
    global _current  # noqa: PLW0603
    attributes = dict(resource.attributes) if isinstance(resource, Resource) else dict(resource or {})
    fingerprint = (settings, tuple(sorted(attributes.items(), key=str)), on_error, python)
    with _lock:
        if _current is not None and _current.by == "distribution":
            return _as_distributed(_current.telemetry, settings, attributes, on_error, python)
        if _current is not None and _current.by == "call":
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
            build_resource(settings, resource),
            settings=settings,
            exporters=(*chosen_exporters(settings), *python.exporters),
            batch_processors=python.batch_processors,
            auth=python.auth,
            enrichers=python.enrichers,
        )
        dispatcher = OnError(on_error) if on_error is not None else None
        _replace()
        telemetry = _install(provider, dispatcher, _install_all)
        _current = _Configured(telemetry, fingerprint, by)
        return telemetry


def _replace() -> None:
    """End what was configured by default, so that something else can take its place."""
    global _current
    replaced, _current = _current, None
    if replaced is not None:
        replaced.telemetry.shutdown()


def adopt(provider: LoggerProvider) -> Telemetry:
    """Make `provider` serve a process whose three global providers are installed already, it among them.

    For the distribution: OpenTelemetry's own configurator installs them. From here on they are flushed and
    shut down together, as after `configure_otel()`, which returns the same `Telemetry` if it is called later.
    """
    global _current  # noqa: PLW0603
    with _lock:
        _replace()
        telemetry = _install(provider, None, _adopt_all)
        _current = _Configured(telemetry, (), "distribution")
        return telemetry


def _as_distributed(
    telemetry: Telemetry,
    settings: Settings,
    attributes: Mapping[str, object],
    on_error: Callable[[FapilogError], object] | None,
    python: _Python,
) -> Telemetry:
    """The answer to `configure_otel()` in an application that the distribution configured before it ran."""
    changes = _changes(settings, only=lambda origin: origin != "default" and origin not in VARIABLE_NAMES)
    known = telemetry.logger_provider.resource.attributes
    for key, value in attributes.items():
        if known.get(key) != value:
            changes.append(f"resource {key}: {known.get(key, 'unset')} before, {value} now")
    if python != _NOTHING:
        changes.append("exporters, batch processors and enrichers that are objects cannot be added now")
    if changes:
        raise LifecycleError(
            "already-configured",
            "opentelemetry-instrument has configured this process before configure_otel() was called, and "
            "differently: set the same in its environment, or leave configure_otel() out",
            changes,
        )
    if on_error is not None and telemetry.on_error is None:
        telemetry.on_error = OnError(on_error)
    return telemetry


_Stock = tuple[trace.TracerProvider, metrics.MeterProvider]


def _install(
    provider: LoggerProvider,
    on_error: OnError | None,
    place: Callable[[LoggerProvider, list[Callable[[], object]], list[Any]], _Stock],
) -> Telemetry:
    """Put the providers and the bridges in place; when one fails, those before it are taken out again."""
    settings, undo = provider.settings, list[Callable[[], object]]()
    signals.quiet_exporters()
    ours: list[Any] = []
    try:
        tracers, meters = place(provider, undo, ours)
        if settings.self_observability and not settings.disabled:
            self_observability.observe(provider, meters)
        default_handle.attach(None if settings.disabled else provider.pipeline)
        # After the shutdown records are refused; without any pipeline the next one would configure defaults.
        undo.append(lambda: default_handle.attach(provider.pipeline))
        if settings.capture_stdlib and not settings.disabled:
            undo.append(stdlib.install(provider.handle, capture_warnings=settings.capture_warnings))
        if settings.exception_hooks and not settings.disabled:
            undo.append(hooks.install())
    except BaseException:
        take_back(undo)
        BoundedCalls(provider.shutdown for provider in ours)
        raise
    if settings.exit_report:
        lifecycle.report_at_exit(provider)
    return Telemetry(
        logger_provider=provider,
        tracer_provider=tracers,
        meter_provider=meters,
        undo=undo,
        let_go=_let_go,
        on_error=on_error,
        ours=ours,
    )


def _install_all(logs: LoggerProvider, undo: list[Callable[[], object]], ours: list[Any]) -> _Stock:
    """Install a provider for each signal that has none yet."""
    tracers = _install_stock("trace", signals.tracer_provider, logs, undo, ours)
    meters = _install_stock("metrics", signals.meter_provider, logs, undo, ours)
    undo += _install_logs(logs)
    return tracers, meters


def _adopt_all(logs: LoggerProvider, undo: list[Callable[[], object]], ours: list[Any]) -> _Stock:
    """Take over the end of the providers that are installed."""
    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    stock: tuple[tuple[str, Any], ...] = (("trace", tracers), ("metrics", meters))
    for signal, provider in stock:
        if hasattr(provider, "shutdown"):
            otel_private.forget_exit_handler(provider)
            ours.append(provider)
            undo.append(_ending(signal, provider, logs.settings.buffer.shutdown_timeout_millis))
    undo.append(lambda: otel_private.mark_ended("logs", logs))
    return tracers, meters


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


def chosen_exporters(settings: Settings) -> tuple[str, ...]:
    """Return the exporters that settings ask for; by default `otlp`, and `console` on a terminal."""
    if settings.exporters is not None:
        return settings.exporters
    return ("otlp", "console") if console.on_terminal(settings.console) else ("otlp",)


def _merge(settings: Settings | None, given: Mapping[str, Any]) -> Settings:
    if settings is None:
        return Settings.load(**given)
    return settings.with_changes(**given) if given else settings


def _changes(settings: Settings, only: Callable[[str], bool] = lambda _: True) -> list[str]:
    """What `settings` would change in the settings in force, of those whose origin is wanted."""
    in_force = _current.telemetry.settings if _current else settings
    before = {row.name: str(row.value) for row in in_force.explain()}
    return [
        f"{row.name}: {before[row.name]} before, {row.value} now"
        for row in settings.explain()
        if only(row.origin) and _value(settings, row.name) != _value(in_force, row.name)
    ]


def _value(settings: Settings, name: str) -> object:
    return reduce(getattr, name.split("."), settings)


def _sorted_out(
    exporters: Iterable[AnyExporter] | None,
) -> tuple[tuple[str, ...] | None, tuple[AnyExporter, ...]]:
    """The names, which are settings, and the objects, which are not."""
    if exporters is None or isinstance(exporters, str):
        return _tuple(exporters), ()
    given = tuple(exporters)
    names = tuple(each for each in given if isinstance(each, str))
    objects = tuple(each for each in given if not isinstance(each, str))
    return names or (("none",) if objects else ()), objects


def _sorted_enrichers(
    enrichers: Iterable[str | Enricher] | None,
) -> tuple[tuple[str, ...] | None, tuple[str | Enricher, ...] | None]:
    """The names, which are settings; and all, where there are objects among them: the order counts."""
    if enrichers is None or isinstance(enrichers, str):
        return _tuple(enrichers), None
    given = tuple(enrichers)
    names = tuple(each for each in given if isinstance(each, str))
    return names, None if len(names) == len(given) else given


def _tuple(values: Iterable[str] | None) -> tuple[str, ...] | None:
    if values is None:
        return None
    return (values,) if isinstance(values, str) else tuple(values)
