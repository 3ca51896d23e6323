"""Stage 3 of 7, redact: metrics under the rules for records. Thread(s): the one that collects.

Attributes are hidden in what a reader collects, not in what an instrument takes: the SDK adds up by the
attributes as they were given. So two points of one metric may leave with the same attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from fapilog import otel_private
from fapilog.diagnostics import say, shown_error
from fapilog.otel.redacting_parts import PartRedactor
from fapilog.redaction.given import GivenPolicy
from fapilog.settings.redaction import RedactionSettings


class MetricRedactor:
    """Hides in metrics what stage 3 hides in records.

    Args:
        settings: The policy.
    """

    def __init__(self, settings: GivenPolicy = None) -> None:
        self._parts = PartRedactor(settings)

    def use(self, settings: RedactionSettings) -> None:
        """Take another policy from now on."""
        self._parts = PartRedactor(settings)

    def clean(self, collected: MetricsData) -> MetricsData:
        """Return metrics without what is hidden; none at all, if they cannot be read."""
        try:
            clean: MetricsData = _with_each(collected, "resource_metrics", self._resource)
            return clean
        except Exception as error:
            what = f"metrics could not be read and are not exported: {shown_error(error)}"
            say("unscanned", what, "metrics")
            return MetricsData(resource_metrics=[])

    def _resource(self, given: Any) -> Any:
        scopes = _with_each(given, "scope_metrics", self._scope)
        url = given.schema_url and self._parts.text(given.schema_url)
        return _changed(scopes, resource=self._parts.resource(given.resource), schema_url=url)

    def _scope(self, given: Any) -> Any:
        metrics = _with_each(given, "metrics", self._metric)
        url = given.schema_url and self._parts.text(given.schema_url)
        return _changed(metrics, scope=self._parts.scope(given.scope), schema_url=url)

    def _metric(self, given: Any) -> Any:
        text = self._parts.text
        return _changed(
            given,
            name=text(given.name),
            description=given.description and text(given.description),
            unit=given.unit and text(given.unit),
            data=_with_each(given.data, "data_points", self._point),
        )

    def _point(self, given: Any) -> Any:
        attributes = self._parts.attributes(given.attributes)
        return _changed(_with_each(given, "exemplars", self._exemplar), attributes=attributes)

    def _exemplar(self, given: Any) -> Any:
        return _changed(given, filtered_attributes=self._parts.attributes(given.filtered_attributes))


class RedactingMetricExporter(MetricExporter):
    """Hands metrics to another exporter without what stage 3 hides in records.

    That is: attributes of points and exemplars, resource, scope, names, descriptions and units.

    Args:
        exporter: Any `MetricExporter`.
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`.

    Example:
        >>> from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
        >>> reader = PeriodicExportingMetricReader(RedactingMetricExporter(ConsoleMetricExporter()))
        >>> reader.shutdown()
    """

    def __init__(self, exporter: MetricExporter, settings: GivenPolicy = None) -> None:
        super().__init__(*otel_private.preferences_of(exporter))
        self._exporter = exporter
        self._metrics = MetricRedactor(settings)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Export metrics without what is hidden."""
        return self._exporter.export(self._metrics.clean(metrics_data), timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown(timeout_millis, **kwargs)


class RedactingMeterProvider(MeterProvider):
    """A meter provider whose readers, whenever they are added, collect metrics without what is hidden.

    Args:
        readers: Any.
        resource: As of the SDK's provider.
        settings: The policy.
    """

    def __init__(
        self, readers: Sequence[MetricReader], *, resource: Resource, settings: RedactionSettings
    ) -> None:
        self._redactor = MetricRedactor(settings)
        super().__init__(readers, resource=resource, shutdown_on_exit=False)
        for reader in readers:
            guard_reader(reader, self._redactor)

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Add a reader, of a release of the SDK that can."""
        super().add_metric_reader(metric_reader)
        guard_reader(metric_reader, self._redactor)


def guard_reader(reader: MetricReader, redactor: MetricRedactor) -> bool:
    """Let a registered reader collect metrics without what is hidden. False: the SDK lets nobody."""
    guarded = otel_private.filter_collected(reader, redactor.clean)
    if not guarded:
        say(
            "not-redacted",
            f"{type(reader).__name__} exports metrics as they are; wrap its exporter in"
            " RedactingMetricExporter",
            "metrics",
        )
    return guarded


def _with_each(given: Any, field: str, clean: Callable[[Any], Any]) -> Any:
    members = getattr(given, field, None)
    if not members:
        return given
    left = [clean(member) for member in members]
    same = all(new is old for new, old in zip(left, members, strict=True))
    return given if same else replace(given, **{field: left})


def _changed(given: Any, **fields: Any) -> Any:
    differs = {
        name: value
        for name, value in fields.items()
        if value is not getattr(given, name)
        and not (isinstance(value, str) and value == getattr(given, name))
    }
    return replace(given, **differs) if differs else given
