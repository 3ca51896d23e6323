"""Stage 7 of 7, settle: the pipeline's own metrics, to any `MeterProvider`. Threads: who collects metrics.

One set of instruments per meter provider, for all pipelines: the SDK ignores what is created twice.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from fapilog.own_metrics import METRICS, READERS, Metric, Observed, Snapshot

METER_NAME = "fapilog"
_Reading = tuple[float, Mapping[str, Any]]
_observers: weakref.WeakKeyDictionary[MeterProvider, _Observer] = weakref.WeakKeyDictionary()


def observe(provider: Observed, meter_provider: MeterProvider) -> None:
    """Let `meter_provider` read the pipeline of `provider` whenever it collects.

    Opt-in, as the conventions ask while they are in development: `configure_otel(self_observability=True)`
    (FAPILOG_SELF_OBSERVABILITY, OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED) calls it with the meter provider of
    the process. The provider is held weakly; what it counted until the last collection stays counted. Several
    may share a meter provider: each has components of its own, and what names none is their sum. One meter
    provider per pipeline: durations are handed out once.

    Args:
        provider: A `fapilog.LoggerProvider` or `fapilog.FapilogLogRecordProcessor`.
        meter_provider: The SDK's with any reader (OTLP, Prometheus, console), or another one.

    Example:
        >>> import fapilog
        >>> from opentelemetry.sdk.metrics import MeterProvider
        >>> from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        >>> reader = InMemoryMetricReader()
        >>> with fapilog.LoggerProvider(exporters=["none"]) as provider:
        ...     observe(provider, MeterProvider([reader]))
        ...     provider.get_logger("jobs").emit(body="started")
        ...     scope = reader.get_metrics_data().resource_metrics[0].scope_metrics[0]
        >>> next(m.data.data_points[0].value for m in scope.metrics if m.name == "otel.sdk.log.created")
        1
    """
    observer = _observers.get(meter_provider)
    if observer is None:
        observer = _observers[meter_provider] = _Observer(meter_provider.get_meter(METER_NAME))
    observer.add(provider)


class _Observer:
    """Reads the providers of one meter provider."""

    def __init__(self, meter: Meter) -> None:
        self._sources: list[_Source] = []
        self._durations = _histogram(meter)
        for metric in METRICS:
            if metric.instrument != "histogram":
                _create(meter, metric, self._callback(metric))

    def add(self, provider: Observed) -> None:
        """Read `provider` too, until it is gone."""
        if not any(source.reads(provider) for source in self._sources):
            self._sources.append(_Source(provider, len(self._sources), self._durations))

    def _callback(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe_now(_options: CallbackOptions) -> Iterable[Observation]:
            sums: dict[frozenset[tuple[str, Any]], float] = {}
            for value, attributes in self._readings(metric):
                key = frozenset(attributes.items())
                sums[key] = sums.get(key, 0) + value
            return [Observation(value, dict(key)) for key, value in sums.items()]

        return observe_now

    def _readings(self, metric: Metric) -> Iterator[_Reading]:
        for source in self._sources:
            yield from source.read(metric)


class _Source:
    """One provider that is read."""

    def __init__(self, provider: Observed, number: int, durations: Histogram) -> None:
        self._provider = weakref.ref(provider)
        self._number = number
        self._durations = durations
        # A counter must not fall when its provider goes.
        self._last: dict[str, list[_Reading]] = {}

    def reads(self, provider: Observed) -> bool:
        """Whether it is this one."""
        return self._provider() is provider

    def read(self, metric: Metric) -> list[_Reading]:
        """Return what the metric is now; of a provider that is gone, what a counter was."""
        provider = self._provider()
        if provider is None:
            return self._last.get(metric.name, [])
        snapshot = Snapshot(provider, self._number)
        self._record(snapshot)
        readings = list(READERS[metric.name](snapshot))
        if metric.instrument == "counter":
            self._last[metric.name] = readings
        return readings

    def _record(self, snapshot: Snapshot) -> None:
        for name, _ in snapshot.exporters:
            for seconds, attributes in snapshot.operations(name):
                self._durations.record(seconds, attributes)


def _histogram(meter: Meter) -> Histogram:
    metric = next(metric for metric in METRICS if metric.instrument == "histogram")
    # semconv: one bucket without boundaries; count, sum, minimum and maximum are what matters.
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=[]
    )


def _create(
    meter: Meter, metric: Metric, callback: Callable[[CallbackOptions], Iterable[Observation]]
) -> None:
    create = (
        meter.create_observable_counter
        if metric.instrument == "counter"
        else meter.create_observable_up_down_counter
    )
    create(metric.name, [callback], metric.unit, metric.description)
