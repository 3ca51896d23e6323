"""Exporters of spans and metrics that installed packages register for OpenTelemetry's SDK, by name.

Among those of metrics are readers that somebody scrapes, such as `prometheus`. Threads: the configuring one.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader

from fapilog.diagnostics import shown_error
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.plugins import METRICS_EXPORTERS, TRACES_EXPORTERS, PluginPolicy
from fapilog.plugins.loading import imported

_GROUPS = {"OTEL_TRACES_EXPORTER": TRACES_EXPORTERS, "OTEL_METRICS_EXPORTER": METRICS_EXPORTERS}
# Readers that were made in this process.
_made_before: set[type] = set()


def points(variable: str, policy: PluginPolicy | None = None) -> Mapping[str, EntryPoint]:
    """Return what the variable may name, by name; what the policy refuses is not among it."""
    found = entry_points(group=_GROUPS[variable])
    return {point.name: point for point in found if policy is None or not _refused(point, policy)}


def _refused(point: EntryPoint, policy: PluginPolicy) -> str:
    return policy.refusal(point.group, point.name, point.dist.name if point.dist is not None else "")


def make(variable: str, name: str) -> Any:
    """Return a new exporter or reader.

    Args:
        variable: `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER`.
        name: One of `points`.

    Raises:
        ConfigurationError: `exporter-invalid`, if it cannot be made.
    """
    point = points(variable)[name]
    try:
        target: Any = imported(point)
        if target in _made_before:
            target = _without_its_server(target)
        elif inspect.isclass(target) and issubclass(target, MetricReader):
            _made_before.add(target)
        return target()
    except Exception as error:
        what = f"the exporter {name} ({point.value}) cannot be made: {shown_error(error)}"
        remedy = f"set what it needs in its own variables, or take it out of {variable}"
        offender = OffendingSetting(variable, repr(name), variable, remedy)
        raise ConfigurationError([Problem("exporter-invalid", what, (offender,), remedy)]) from error


def _without_its_server(target: type) -> type:
    """The class below that of a reader that came before, for a second provider in the same process.

    The reader `prometheus` of the SDK starts a server that nobody can stop; it serves what the plain
    `PrometheusMetricReader` reports too, and its port is taken.
    """
    below = target.__mro__[1]
    plain = issubclass(below, MetricReader) and not inspect.isabstract(below) and below is not MetricReader
    return below if plain else target
