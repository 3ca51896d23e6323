"""Stage 7 of 7, settle: the pipeline's own metrics, to any `MeterProvider`. Threads: who collects metrics.

Names, units and attributes are those of OpenTelemetry's semantic conventions for SDK metrics (`otel.sdk.*`,
Development), with `error.type` on every record that was not delivered; what they do not name is `fapilog.*`.
Nothing is counted here: the ledger counts natively, and these instruments read it when somebody collects.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from fapilog.ledger import ExporterLedger, Ledger
from fapilog.timings import Timings

METER_NAME = "fapilog"
_PROCESSOR = {
    "otel.component.type": "fapilog.FapilogLogRecordProcessor",
    "otel.component.name": "fapilog.FapilogLogRecordProcessor/0",
}
# What of the ledger means that the queue had no room (semconv: `queue_full`).
_QUEUE_FULL_DROPS = ("overflow_oldest", "overflow_newest", "wait_timeout", "not_awaited")
_COMPONENT_TYPES = {
    "http/protobuf": "otlp_http_log_exporter",
    "http/json": "otlp_http_json_log_exporter",
    "grpc": "otlp_grpc_log_exporter",
}
# semconv: a dropped record's `error.type`; other reasons keep their own name.
_ERROR_TYPES = {"expired": "timeout", "shutdown": "already_shutdown"}


class Observed(Protocol):
    """What is read of a provider: `LoggerProvider` and `FapilogLogRecordProcessor` of fapilog."""

    @property
    def settings(self) -> Any:
        """`fapilog.Settings`."""

    @property
    def outlet(self) -> Any:
        """`fapilog.otel.outlet.Outlet`: what the native stages did, and the memory that they hold."""

    @property
    def timings(self) -> Timings:
        """Time spent in plugins."""

    def ledger(self) -> Ledger:
        """What became of every record."""


@dataclass(frozen=True)
class Metric:
    """One metric that fapilog emits.

    Attributes:
        name: As OpenTelemetry writes it.
        instrument: `counter`, `updowncounter` or `histogram`.
        unit: UCUM.
        description: One sentence.
    """

    name: str
    instrument: str
    unit: str
    description: str


METRICS = (
    Metric("otel.sdk.log.created", "counter", "{log_record}", "Records submitted to enabled loggers."),
    Metric(
        "otel.sdk.processor.log.queue.size", "updowncounter", "{log_record}", "Records waiting in memory."
    ),
    Metric(
        "otel.sdk.processor.log.queue.capacity",
        "updowncounter",
        "{log_record}",
        "Records that fit, where `buffer.max_queue_records` bounds them.",
    ),
    Metric(
        "otel.sdk.processor.log.processed",
        "counter",
        "{log_record}",
        "Records passed to exporters, and with `error.type` those that never were.",
    ),
    Metric(
        "otel.sdk.exporter.log.inflight", "updowncounter", "{log_record}", "Records in requests under way."
    ),
    Metric(
        "otel.sdk.exporter.log.exported",
        "counter",
        "{log_record}",
        "Records whose export ended; `error.type` unless they were acknowledged.",
    ),
    Metric(
        "otel.sdk.exporter.operation.duration", "histogram", "s", "Time of one export, with all its attempts."
    ),
    Metric("fapilog.records.filtered", "counter", "{log_record}", "Calls below the level of their logger."),
    Metric(
        "fapilog.records.refused", "counter", "{log_record}", "Records not accepted, by `fapilog.reason`."
    ),
    Metric(
        "fapilog.records.dropped",
        "counter",
        "{log_record}",
        "Accepted records that were lost, by exporter and `fapilog.reason`.",
    ),
    Metric("fapilog.records.pending", "updowncounter", "{log_record}", "Records not decided, by exporter."),
    Metric("fapilog.buffer.usage", "updowncounter", "By", "Memory of queued records."),
    Metric("fapilog.buffer.limit", "updowncounter", "By", "Bound of that memory."),
    Metric("fapilog.memory.usage", "updowncounter", "By", "Memory held, by `fapilog.memory.kind`."),
    Metric("fapilog.stage.time", "counter", "s", "Time spent by native threads, by `fapilog.stage`."),
    Metric("fapilog.plugin.time", "counter", "s", "Time spent in plugins, by kind and name."),
    Metric("fapilog.plugin.calls", "counter", "{call}", "Calls of plugins; `error.type` where they raised."),
)

_Readings = Iterator[tuple[float, Mapping[str, Any]]]


def observe(provider: Observed, meter_provider: MeterProvider) -> None:
    """Let `meter_provider` read the pipeline of `provider` whenever it collects.

    Opt-in, as the conventions ask while they are in development: `configure_otel(self_observability=True)`
    (FAPILOG_SELF_OBSERVABILITY, OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED) calls it with the meter provider of
    the process. The provider is held weakly. One observer per provider: durations are handed out once.

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
    meter = meter_provider.get_meter(METER_NAME)
    observer = _Observer(weakref.ref(provider), _histogram(meter))
    for metric in METRICS:
        if metric.instrument != "histogram":
            _create(meter, metric, observer.callback(_READERS[metric.name]))


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


class _Observer:
    """Reads one provider; yields nothing once it is gone."""

    def __init__(self, provider: weakref.ref[Observed], durations: Histogram) -> None:
        self._provider = provider
        self._durations = durations

    def callback(
        self, read: Callable[[_Snapshot], _Readings]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe_now(_options: CallbackOptions) -> Iterable[Observation]:
            provider = self._provider()
            if provider is None:
                return []
            snapshot = _Snapshot(provider)
            self._record(snapshot)
            return [Observation(value, dict(attributes)) for value, attributes in read(snapshot)]

        return observe_now

    def _record(self, snapshot: _Snapshot) -> None:
        for name, stats in snapshot.exporters:
            for seconds, status, error_type, _records in stats["operations"]:
                attributes = dict(snapshot.components[name])
                if error_type:
                    attributes["error.type"] = error_type
                if status:
                    attributes["http.response.status_code"] = status
                self._durations.record(seconds, attributes)


class _Snapshot:
    """What one callback reads."""

    def __init__(self, provider: Observed) -> None:
        self.settings = provider.settings
        self.ledger = provider.ledger()
        self.native: Mapping[str, Any] = provider.outlet.stats()
        self.buffer_bytes: int = provider.outlet.buffer_bytes()
        self.exporters = self.native.get("exporters", {}).items()
        self.timings = provider.timings
        self.components = {name: self._component(name) for name in self.ledger.exporters}

    def _component(self, name: str) -> dict[str, Any]:
        """Component and server attributes of an exporter."""
        if name != "otlp":
            return {"otel.component.type": name, "otel.component.name": f"{name}/0"}
        kind = _COMPONENT_TYPES[self.settings.otlp.protocol]
        url = urlsplit(self.settings.otlp.endpoint)
        server = {"server.address": url.hostname or "", "server.port": url.port or _port(url.scheme)}
        return {"otel.component.type": kind, "otel.component.name": f"{kind}/0", **server}


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _created(now: _Snapshot) -> _Readings:
    yield now.ledger.accepted + sum(now.ledger.refused.values()), {}


def _queue_size(now: _Snapshot) -> _Readings:
    yield max((side.pending for side in now.ledger.exporters.values()), default=0), _PROCESSOR


def _queue_capacity(now: _Snapshot) -> _Readings:
    if now.settings.buffer.max_queue_records is not None:
        yield now.settings.buffer.max_queue_records, _PROCESSOR


def _processed(now: _Snapshot) -> _Readings:
    """Counted once per record: by the exporter that kept most, since all read the same queue."""
    sides = now.ledger.exporters.values()
    full = now.ledger.refused.get("shed", 0) + max(map(_without_room, sides), default=0)
    passed = max(map(_passed, sides), default=now.ledger.accepted)
    yield passed, _PROCESSOR
    yield full, {**_PROCESSOR, "error.type": "queue_full"}
    yield now.ledger.refused.get("shut_down", 0), {**_PROCESSOR, "error.type": "already_shutdown"}


def _without_room(side: ExporterLedger) -> int:
    return sum(side.dropped.get(reason, 0) for reason in _QUEUE_FULL_DROPS)


def _passed(side: ExporterLedger) -> int:
    return side.accepted - side.pending - _without_room(side)


def _in_flight(now: _Snapshot) -> _Readings:
    for name, stats in now.exporters:
        yield stats["in_flight_records"], now.components[name]


def _exported(now: _Snapshot) -> _Readings:
    for name, side in now.ledger.exporters.items():
        component = now.components[name]
        yield side.delivered, component
        yield side.rejected, {**component, "error.type": "rejected"}
        for reason, records in side.dropped.items():
            if reason not in _QUEUE_FULL_DROPS and records:
                yield records, {**component, "error.type": _ERROR_TYPES.get(reason, reason)}


def _filtered(now: _Snapshot) -> _Readings:
    yield now.ledger.filtered, {}


def _refused(now: _Snapshot) -> _Readings:
    for reason, records in now.ledger.refused.items():
        yield records, {"fapilog.reason": reason}


def _dropped(now: _Snapshot) -> _Readings:
    for name, side in now.ledger.exporters.items():
        for reason, records in side.dropped.items():
            yield records, {"fapilog.exporter": name, "fapilog.reason": reason}


def _pending(now: _Snapshot) -> _Readings:
    for name, side in now.ledger.exporters.items():
        yield side.pending, {"fapilog.exporter": name}


def _buffer_usage(now: _Snapshot) -> _Readings:
    yield now.buffer_bytes, {}


def _buffer_limit(now: _Snapshot) -> _Readings:
    yield now.settings.buffer.limit_bytes, {}


def _memory(now: _Snapshot) -> _Readings:
    for kind, held in now.native.get("memory", {}).items():
        yield held, {"fapilog.memory.kind": kind.removesuffix("_bytes")}


def _stage_time(now: _Snapshot) -> _Readings:
    if "seal" in now.native:
        yield now.native["seal"]["nanos"] / 1e9, {"fapilog.stage": "seal"}
    for name, stats in now.exporters:
        yield stats["send_nanos"] / 1e9, {"fapilog.stage": "export", "fapilog.exporter": name}


def _plugin_time(now: _Snapshot) -> _Readings:
    for (kind, name), spent in now.timings.snapshot().items():
        yield spent.seconds, {"fapilog.plugin.kind": kind, "fapilog.plugin.name": name}


def _plugin_calls(now: _Snapshot) -> _Readings:
    for (kind, name), spent in now.timings.snapshot().items():
        plugin = {"fapilog.plugin.kind": kind, "fapilog.plugin.name": name}
        yield spent.calls - spent.failures, plugin
        if spent.failures:
            yield spent.failures, {**plugin, "error.type": "exception"}


_READERS: Mapping[str, Callable[[_Snapshot], _Readings]] = {
    "otel.sdk.log.created": _created,
    "otel.sdk.processor.log.queue.size": _queue_size,
    "otel.sdk.processor.log.queue.capacity": _queue_capacity,
    "otel.sdk.processor.log.processed": _processed,
    "otel.sdk.exporter.log.inflight": _in_flight,
    "otel.sdk.exporter.log.exported": _exported,
    "fapilog.records.filtered": _filtered,
    "fapilog.records.refused": _refused,
    "fapilog.records.dropped": _dropped,
    "fapilog.records.pending": _pending,
    "fapilog.buffer.usage": _buffer_usage,
    "fapilog.buffer.limit": _buffer_limit,
    "fapilog.memory.usage": _memory,
    "fapilog.stage.time": _stage_time,
    "fapilog.plugin.time": _plugin_time,
    "fapilog.plugin.calls": _plugin_calls,
}
