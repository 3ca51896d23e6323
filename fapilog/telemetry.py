"""`configure_otel()`: one call sets up logs through our pipeline, traces and metrics through the stock SDK.

Here is what the call takes; `in_force` decides whether it counts, `installation` puts the providers in place.
Threads: the configuring one. Nothing per record happens here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fapilog import in_force
from fapilog.compliance import Profile
from fapilog.enrichers.base import Enricher
from fapilog.errors import FapilogError
from fapilog.exporters.auth import AnyAuth
from fapilog.exporters.base import AnyExporter
from fapilog.otel.given import as_tuple, wrong
from fapilog.providers import Health, Telemetry
from fapilog.settings import Settings

__all__ = ["Health", "Telemetry", "configure_otel", "current_telemetry"]


def configure_otel(  # noqa: PLR0913 - settings by keyword are the point
    service_name: str | None = None,
    *,
    settings: Settings | None = None,
    exporters: Iterable[AnyExporter] | None = None,
    batch_processors: Iterable[Any] | None = None,
    processors: Iterable[str | LogRecordProcessor] | None = None,
    auth: AnyAuth = None,
    enrichers: Iterable[str | Enricher] | None = None,
    compliance: Iterable[str | Path | Profile] | None = None,
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
        batch_processors: Names of plugins (FAPILOG_BATCH_PROCESSORS), async functions, or objects with
            `async def process(batch)`, mixed, that see every block before the exporters do.
        processors: Names of plugins (FAPILOG_PROCESSORS) and `LogRecordProcessor`s of OpenTelemetry, mixed,
            that see every record within the call.
        auth: A function that returns request headers for `otlp`, or headers and the seconds for which they
            are good; called again before they end and when they are refused. Or such functions by exporter.
        enrichers: Names (FAPILOG_ENRICHERS), mappings, functions and async functions, mixed, that give every
            record further attributes.
        compliance: Names of profiles (FAPILOG_COMPLIANCE), paths of TOML files and `Profile`s, mixed.
        resource: Further resource attributes; they win.
        on_error: Called with errors of the logger, isolated and at most once a second per code.
        **overrides: Any other setting by its name: `buffer={"overflow": "wait"}`, `minimise=True`.

    Raises:
        ConfigurationError: If a setting is wrong; one error lists all, with values, origins and remedies.
        LifecycleError: `already-configured`, if the arguments differ from those of the first call.

    Example:
        >>> import fapilog
        >>> telemetry = fapilog.configure_otel("orders", exporters=["none"])
        >>> telemetry.shutdown()
        True
    """
    names, instances = _sorted_out(exporters)
    lists = {"enrichers": enrichers, "batch_processors": batch_processors, "processors": processors}
    ordered = {name: _in_order(name, values) for name, values in lists.items()}
    named: dict[str, Any] = {name: chosen for name, (chosen, _) in ordered.items()}
    named |= {"service.name": service_name, "exporters": names}
    named |= {"compliance": _tuple("compliance", compliance)}
    given = {name: value for name, value in named.items() if value is not None} | overrides
    loaded = _load(settings, given)
    mixed: dict[str, Any] = {name: values for name, (_, values) in ordered.items()}
    objects = in_force.GivenObjects(instances, auth=auth, on_error=on_error, **mixed)
    return in_force.configure(loaded, _checked(resource), objects, by="call")


def current_telemetry() -> Telemetry | None:
    """Return what the process is configured with; None before that, and after `Telemetry.shutdown()`.

    The first record of a process that nobody configured configures it, too.

    Example:
        >>> current_telemetry() is None
        True
    """
    return in_force.current()


def _sorted_out(
    exporters: Iterable[AnyExporter] | None,
) -> tuple[tuple[str, ...] | None, tuple[AnyExporter, ...]]:
    """The names, which are settings, and the objects, which are not."""
    given = _tuple("exporters", exporters)
    if given is None:
        return None, ()
    names = tuple(each for each in given if isinstance(each, str))
    objects = tuple(each for each in given if not isinstance(each, str))
    return names or (("none",) if objects else ()), objects


def _in_order(
    name: str, values: Iterable[Any] | None
) -> tuple[tuple[str, ...] | None, tuple[Any, ...] | None]:
    """The names, which are settings; and all, where there are objects among them: the order counts."""
    given = _tuple(name, values)
    if given is None:
        return None, None
    names = tuple(each for each in given if isinstance(each, str))
    return names, None if len(names) == len(given) else given


def _tuple(name: str, values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    if values is None:
        return None
    return as_tuple(name, values)


def _checked(resource: Any) -> Resource | Mapping[str, object] | None:
    if resource is None or isinstance(resource, (Resource, Mapping)):
        return resource
    raise wrong("resource", resource, "holds no attributes", "pass a mapping, or a Resource of OpenTelemetry")


def _load(settings: Settings | None, given: Mapping[str, Any]) -> Settings:
    if settings is None:
        return Settings.load(**given)
    if not isinstance(settings, Settings):
        raise wrong(
            "settings", settings, "are no settings", "pass what Settings() or Settings.load() returns"
        )
    return settings.with_changes(**given) if given else settings
