"""The entry-point groups, what the objects in each are, and how to tell."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

PREFIX = "fapilog."
# OpenTelemetry's own groups: of any package, for any application.
EXPORTERS = "opentelemetry_logs_exporter"
TRACES_EXPORTERS, METRICS_EXPORTERS = "opentelemetry_traces_exporter", "opentelemetry_metrics_exporter"
INSTRUMENTORS = "opentelemetry_instrumentor"
PROCESSORS, AUTH, COMMANDS = "fapilog.processors", "fapilog.auth", "fapilog.commands"
ENRICHERS, DETECTORS, PROFILES = "fapilog.enrichers", "fapilog.detectors", "fapilog.profiles"
KEY_PROVIDERS = "fapilog.key_providers"

# Group, and what its objects are. `docs/reference/plugins.md` is generated from it.
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        EXPORTERS: "An exporter, or a class or function without arguments that makes one: it has"
        " `async def export_batch(batch)`, or is a `LogRecordExporter` of OpenTelemetry. Named in"
        " `exporters`. One that is broken is an error where it is named. The group is OpenTelemetry's.",
        PROCESSORS: "A processor, or a class or function without arguments that makes one: it has"
        " `async def process(batch)` and is named in `batch_processors`, or is an OpenTelemetry"
        " `LogRecordProcessor` and is named in `processors`.",
        ENRICHERS: "A mapping of attributes, a function (also `async`) that returns one, or a class"
        " without arguments that makes either.",
        AUTH: "A function (also `async`) without arguments that returns request headers, as the argument"
        " `auth` takes it, or a class without arguments that makes one. Named in `otlp.auth`.",
        KEY_PROVIDERS: "An object with the method `spool_keys` (for tokens `token_keys`), or a class without"
        " arguments that makes one, or a function that returns keys by their ids. Named in"
        " `spool.key_provider` or `redaction.key_provider`.",
        DETECTORS: "A mapping of rules by their names, each as `redaction.rules` takes it (a pattern, words"
        " or paths), or a function without arguments that returns one. Named in `redaction.detectors`. One"
        " that is broken is an error where it is named.",
        PROFILES: "A `fapilog.compliance.Profile`, or a function without arguments that makes one."
        " Named in `compliance`. One that is broken is an error where it is named.",
        COMMANDS: "A `typer.Typer` or a function: a command of `fapilog` with the plugin's name.",
        TRACES_EXPORTERS: "A class without arguments that makes a `SpanExporter` of OpenTelemetry. Named in"
        " `OTEL_TRACES_EXPORTER`. The group is OpenTelemetry's.",
        METRICS_EXPORTERS: "A class without arguments that makes a `MetricExporter` or a `MetricReader` of"
        " OpenTelemetry. Named in `OTEL_METRICS_EXPORTER`. The group is OpenTelemetry's.",
        INSTRUMENTORS: "A class without arguments that makes a `BaseInstrumentor` of OpenTelemetry. Loaded by"
        " `opentelemetry-instrument`, each that is installed. The group is OpenTelemetry's.",
    }
)

# How lists of names write OpenTelemetry's groups.
_SHORT = {
    EXPORTERS: "exporters",
    TRACES_EXPORTERS: "traces_exporters",
    METRICS_EXPORTERS: "metrics_exporters",
    INSTRUMENTORS: "instrumentors",
}


def spellings(group: str) -> tuple[str, str]:
    """Return how lists of names may write a group: `fapilog.enrichers`, `enrichers`."""
    return group, _SHORT.get(group) or group.removeprefix(PREFIX)


def full_name(written: str) -> str | None:
    """Return the group that somebody wrote, in either spelling, also in the singular; None: there is none.

    Example:
        >>> full_name("exporter"), full_name("fapilog.auth"), full_name("sinks")
        ('opentelemetry_logs_exporter', 'fapilog.auth', None)
    """
    return next((group for group in GROUPS if {written, f"{written}s"} & set(spellings(group))), None)


def made(group: str, target: Any) -> Any:
    """Return the object that a plugin is for: the target itself, or what it makes.

    Raises:
        TypeError: It is not what the group holds; or what the maker raises.
    """
    is_finished = _is_right(group, target) and not inspect.isclass(target)
    found = target if is_finished or not callable(target) else target()
    if not _is_right(group, found):
        raise TypeError(f"{type(found).__name__} is not what the group holds. {GROUPS[group]}")
    return found


def _is_right(group: str, value: Any) -> bool:
    match group:
        case "opentelemetry_logs_exporter":
            methods = ("export_batch",), ("export", "shutdown")
            return any(all(callable(getattr(value, name, None)) for name in each) for each in methods)
        case "opentelemetry_traces_exporter" | "opentelemetry_metrics_exporter":
            # A reader of metrics collects, and nobody exports through it.
            return _has(value, "shutdown") and (_has(value, "export") or _has(value, "collect"))
        case "opentelemetry_instrumentor":
            return _has(value, "instrument") and _has(value, "uninstrument")
        case "fapilog.processors":
            return is_log_record_processor(value) or batch_function(value) is not None
        case "fapilog.enrichers":
            return isinstance(value, Mapping) or callable(value)
        case "fapilog.auth":
            return callable(value)
        case "fapilog.key_providers":
            return callable(getattr(value, "spool_keys", None)) or inspect.isroutine(value)
        case "fapilog.detectors":
            return isinstance(value, Mapping)
    # What finished profiles look like is for those who take them; here a function makes one.
    return value is not None and not inspect.isroutine(value)


def _has(value: object, method: str) -> bool:
    return callable(getattr(value, method, None))


def is_log_record_processor(value: object) -> bool:
    """Tell whether it has what a `LogRecordProcessor` of OpenTelemetry has."""
    methods = ("on_emit", "shutdown", "force_flush")
    return not inspect.isclass(value) and all(callable(getattr(value, name, None)) for name in methods)


def batch_function(value: Any) -> Callable[[Any], Any] | None:
    """Return the async function of a batch processor, which may be that function itself; None: it is none."""
    function = getattr(value, "process", value)
    return function if is_async(function) and not inspect.isclass(value) else None


def is_async(function: Any) -> bool:
    """Tell whether calling it gives a coroutine."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - of an object whose class defines it async
    )
