"""Stage 7 of 7, settle: which metrics the pipeline has, and how each is read. Threads: who collects metrics.

Names, units and attributes are those of OpenTelemetry's semantic conventions for SDK metrics (`otel.sdk.*`,
Development), with `error.type` on every record that was not delivered; what they do not name is `fapilog.*`.
Nothing is counted here: the ledger counts natively, and this reads it when somebody collects.

reason: a row and a reader for each metric, one beside the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from fapilog.ledger import ExporterLedger, Ledger
from fapilog.timings import Spent, Timings

_PROCESSOR = "fapilog.FapilogLogRecordProcessor"
# What of the ledger means that the queue had no room (semconv: `queue_full`).
_QUEUE_FULL_DROPS = ("overflow_oldest", "overflow_newest", "wait_timeout", "not_awaited")
_COMPONENT_TYPES = {
    "http/protobuf": "otlp_http_log_exporter",
    "http/json": "otlp_http_json_log_exporter",
    "grpc": "otlp_grpc_log_exporter",
}
# semconv: a dropped record's `error.type`; other reasons keep their own name.
_NOTHING_SPENT = Spent()
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

    @property
    def creates_records(self) -> bool:
        """Whether its records are made here: those of another provider are counted there."""

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
    Metric(
        "fapilog.records.dead_letters",
        "counter",
        "{log_record}",
        "Refused records in the file for them, and with `error.type` those that it did not take.",
    ),
    Metric(
        "fapilog.records.violations",
        "counter",
        "{log_record}",
        "Records that broke demands on fields.",
    ),
    Metric("fapilog.records.pending", "updowncounter", "{log_record}", "Records not decided, by exporter."),
    Metric(
        "fapilog.exporter.requests.limit",
        "updowncounter",
        "{request}",
        "Requests that may be under way at once now, by exporter.",
    ),
    Metric(
        "fapilog.exporter.requests.gap",
        "updowncounter",
        "s",
        "Time that is kept from the start of a request to the next now, by exporter.",
    ),
    Metric("fapilog.buffer.usage", "updowncounter", "By", "Memory of queued records."),
    Metric("fapilog.buffer.limit", "updowncounter", "By", "Bound of that memory."),
    Metric("fapilog.memory.usage", "updowncounter", "By", "Memory held, by `fapilog.memory.kind`."),
    Metric(
        "fapilog.flight_recorder.records",
        "updowncounter",
        "{log_record}",
        "Records below the level kept now.",
    ),
    Metric("fapilog.flight_recorder.traces", "updowncounter", "{trace}", "Traces followed now."),
    Metric(
        "fapilog.flight_recorder.decided",
        "counter",
        "{log_record}",
        "Kept records by what became of them, `fapilog.outcome`: promoted, discarded, evicted.",
    ),
    Metric(
        "fapilog.spool.usage", "updowncounter", "By", "Disk that the spool takes, with what it took over."
    ),
    Metric("fapilog.spool.limit", "updowncounter", "By", "Bound of that, for all processes of the service."),
    Metric("fapilog.spool.blocks", "updowncounter", "{block}", "Blocks on disk that an exporter still owes."),
    Metric("fapilog.spool.records", "updowncounter", "{log_record}", "Records pending on disk, by exporter."),
    Metric("fapilog.spool.age", "updowncounter", "s", "Age of the oldest file with blocks that wait."),
    Metric("fapilog.spool.disk_errors", "counter", "{error}", "Errors of the disk under the spool."),
    Metric("fapilog.spool.adopted", "counter", "{log_record}", "Records taken over from ended processes."),
    Metric(
        "fapilog.spool.damaged",
        "counter",
        "{directory}",
        "Directories of ended processes in which something was damaged.",
    ),
    Metric(
        "fapilog.redaction.findings",
        "counter",
        "{finding}",
        "Sensitive values that were hidden in records, by `fapilog.redaction.type`.",
    ),
    Metric("fapilog.stage.time", "counter", "s", "Time spent behind the caller, by `fapilog.stage`."),
    Metric("fapilog.plugin.time", "counter", "s", "Time spent in plugins, by kind and name."),
    Metric("fapilog.plugin.calls", "counter", "{call}", "Calls of plugins; `error.type` where they raised."),
)

Readings = Iterator[tuple[float, Mapping[str, Any]]]


class Snapshot:
    """What one callback reads of one provider.

    Args:
        provider: The one that is read.
        number: Its place among those that are read together; in the names of its components.
    """

    def __init__(self, provider: Observed, number: int) -> None:
        self.settings = provider.settings
        self.ledger = provider.ledger()
        self.native: Mapping[str, Any] = provider.outlet.stats()
        self.buffer_bytes: int = provider.outlet.buffer_bytes()
        self.exporters = self.native.get("exporters", {}).items()
        self.timings = provider.timings
        self.creates_records = provider.creates_records
        self.processor = _named(_PROCESSOR, number)
        self.components = {name: self._component(name, number) for name in self.ledger.exporters}

    def operations(self, name: str) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """Seconds and attributes of what an exporter finished since somebody asked last."""
        component = self.components[name]
        for seconds, status, error_type, _records in self.native["exporters"][name]["operations"]:
            answered = {"http.response.status_code": status} if status else {}
            yield seconds, {**component, **_error(error_type), **answered}
        is_grpc = component["otel.component.type"] == _COMPONENT_TYPES["grpc"]
        for seconds, error_type in self.timings.operations.take(name):
            yield (
                seconds,
                {**component, **_error(error_type), **(_grpc_status(error_type) if is_grpc else {})},
            )

    def rejections(self, name: str) -> Mapping[str, int]:
        """Records that an exporter lost for good, by `error.type`."""
        native = self.native.get("exporters", {}).get(name, {}).get("rejected_by", {})
        return {**native, **self.timings.operations.rejections(name)}

    def _component(self, name: str, number: int) -> dict[str, Any]:
        """Component and server attributes of an exporter."""
        if name != "otlp":
            return _named(name, number)
        kind = _COMPONENT_TYPES[self.settings.otlp.protocol]
        url = urlsplit(self.settings.otlp.endpoint)
        server = {"server.address": url.hostname or "", "server.port": url.port or _port(url.scheme)}
        return {**_named(kind, number), **server}


def _named(kind: str, number: int) -> dict[str, Any]:
    """semconv: the name is the type and a number, unique in the process."""
    return {"otel.component.type": kind, "otel.component.name": f"{kind}/{number}"}


def _error(error_type: str) -> dict[str, str]:
    return {"error.type": error_type} if error_type else {}


def _grpc_status(error_type: str) -> dict[str, str]:
    """The status of a gRPC call: its failures have it as their type; other types mean that there was none."""
    status = error_type or "OK"
    return {"rpc.response.status_code": status} if status.isupper() and status != "_OTHER" else {}


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _created(now: Snapshot) -> Readings:
    if now.creates_records:
        yield now.ledger.accepted + sum(now.ledger.refused.values()), {}


def _queue_size(now: Snapshot) -> Readings:
    yield max((side.pending for side in now.ledger.exporters.values()), default=0), now.processor


def _queue_capacity(now: Snapshot) -> Readings:
    if now.settings.buffer.max_queue_records is not None:
        yield now.settings.buffer.max_queue_records, now.processor


def _processed(now: Snapshot) -> Readings:
    """Counted once per record: by the exporter that kept most, since all read the same queue."""
    sides = now.ledger.exporters.values()
    full = now.ledger.refused.get("shed", 0) + max(map(_without_room, sides), default=0)
    passed = max(map(_decided, sides), default=now.ledger.accepted)
    yield passed, now.processor
    yield full, {**now.processor, "error.type": "queue_full"}
    yield now.ledger.refused.get("shut_down", 0), {**now.processor, "error.type": "already_shutdown"}


def _without_room(side: ExporterLedger) -> int:
    return sum(side.dropped.get(reason, 0) for reason in _QUEUE_FULL_DROPS)


def _decided(side: ExporterLedger) -> int:
    """What is behind the queue. Not what was accepted less the pending: adopted records wait without that."""
    return side.delivered + side.rejected + sum(side.dropped.values()) - _without_room(side)


def _in_flight(now: Snapshot) -> Readings:
    for name, stats in now.exporters:
        yield stats["in_flight_records"], now.components[name]


def _exported(now: Snapshot) -> Readings:
    for name, side in now.ledger.exporters.items():
        component = now.components[name]
        yield side.delivered, component
        causes = {"rejected": 0, **now.rejections(name)}
        # What has no cause is the console's; causes are known a moment before the ledger has the records.
        causes["rejected"] += max(0, side.rejected - sum(causes.values()))
        for error_type, records in causes.items():
            yield records, {**component, "error.type": error_type}
        for reason, records in side.dropped.items():
            if reason not in _QUEUE_FULL_DROPS and records:
                yield records, {**component, "error.type": _ERROR_TYPES.get(reason, reason)}


def _filtered(now: Snapshot) -> Readings:
    # Calls whose record the flight recorder let out later are among them: a counter must not fall.
    yield now.native.get("flight_recorder", {}).get("below", now.ledger.filtered), {}


def _refused(now: Snapshot) -> Readings:
    for reason, records in now.ledger.refused.items():
        yield records, {"fapilog.reason": reason}


def _dropped(now: Snapshot) -> Readings:
    for name, side in now.ledger.exporters.items():
        for reason, records in side.dropped.items():
            yield records, {"fapilog.exporter": name, "fapilog.reason": reason}


def _dead_letters(now: Snapshot) -> Readings:
    found = now.native.get("dead_letters", {"kept": 0, "lost": 0})
    yield found["kept"], {}
    if found["lost"]:
        yield found["lost"], {"error.type": "not_written"}


def _violations(now: Snapshot) -> Readings:
    for demand, records in now.ledger.violations.items() or [("none", 0)]:
        yield records, {"fapilog.compliance.demand": demand}


def _pending(now: Snapshot) -> Readings:
    for name, side in now.ledger.exporters.items():
        yield side.pending, {"fapilog.exporter": name}


def _requests_limit(now: Snapshot) -> Readings:
    for name, stats in now.exporters:
        if "requests_at_once" in stats:
            yield stats["requests_at_once"], {"fapilog.exporter": name}


def _requests_gap(now: Snapshot) -> Readings:
    for name, stats in now.exporters:
        if "gap_seconds" in stats:
            yield stats["gap_seconds"], {"fapilog.exporter": name}


def _buffer_usage(now: Snapshot) -> Readings:
    yield now.buffer_bytes, {}


def _buffer_limit(now: Snapshot) -> Readings:
    yield now.settings.buffer.limit_bytes, {}


def _memory(now: Snapshot) -> Readings:
    for kind, held in now.native.get("memory", {}).items():
        yield held, {"fapilog.memory.kind": kind.removesuffix("_bytes")}


def _recorder_records(now: Snapshot) -> Readings:
    if "flight_recorder" in now.native:
        yield now.native["flight_recorder"]["records"], {}


def _recorder_traces(now: Snapshot) -> Readings:
    if "flight_recorder" in now.native:
        yield now.native["flight_recorder"]["traces"], {}


def _recorder_decided(now: Snapshot) -> Readings:
    for outcome in ("promoted", "discarded", "evicted") if "flight_recorder" in now.native else ():
        yield now.native["flight_recorder"][outcome], {"fapilog.outcome": outcome}


def _stage_time(now: Snapshot) -> Readings:
    spent = now.timings.snapshot()
    if "seal" in now.native:
        yield now.native["seal"]["nanos"] / 1e9, {"fapilog.stage": "seal"}
    for name, stats in now.exporters:
        python = spent.get(("exporter", name), _NOTHING_SPENT)
        seconds = stats["send_nanos"] / 1e9 + python.seconds
        yield seconds, {"fapilog.stage": "export", "fapilog.exporter": name}


def _plugin_time(now: Snapshot) -> Readings:
    for (kind, name), spent in now.timings.snapshot().items():
        yield spent.seconds, {"fapilog.plugin.kind": kind, "fapilog.plugin.name": name}


def _plugin_calls(now: Snapshot) -> Readings:
    for (kind, name), spent in now.timings.snapshot().items():
        plugin = {"fapilog.plugin.kind": kind, "fapilog.plugin.name": name}
        yield spent.calls - spent.failures, plugin
        if spent.failures:
            yield spent.failures, {**plugin, "error.type": "exception"}


def _spool(key: str) -> Callable[[Snapshot], Readings]:
    def read(now: Snapshot) -> Readings:
        if "spool" in now.native:
            yield now.native["spool"][key], {}

    return read


def _spool_limit(now: Snapshot) -> Readings:
    if "spool" in now.native:
        yield now.settings.spool.limit_bytes, {}


def _spool_records(now: Snapshot) -> Readings:
    if "spool" in now.native:
        for name, side in now.ledger.exporters.items():
            yield side.spooled, {"fapilog.exporter": name}


def _spool_age(now: Snapshot) -> Readings:
    # Ages are not added up: each pipeline has its own.
    if "spool" in now.native:
        yield max(now.native["spool"]["ages_nanos"]) / 1e9, now.processor


def _spool_adopted(now: Snapshot) -> Readings:
    if "spool" in now.native:
        yield now.ledger.adopted, {}


def _findings(now: Snapshot) -> Readings:
    for kind, count in now.native.get("findings", {}).items():
        yield count, {"fapilog.redaction.type": kind}


READERS: Mapping[str, Callable[[Snapshot], Readings]] = {
    "otel.sdk.log.created": _created,
    "otel.sdk.processor.log.queue.size": _queue_size,
    "otel.sdk.processor.log.queue.capacity": _queue_capacity,
    "otel.sdk.processor.log.processed": _processed,
    "otel.sdk.exporter.log.inflight": _in_flight,
    "otel.sdk.exporter.log.exported": _exported,
    "fapilog.records.filtered": _filtered,
    "fapilog.records.refused": _refused,
    "fapilog.records.dropped": _dropped,
    "fapilog.records.dead_letters": _dead_letters,
    "fapilog.records.violations": _violations,
    "fapilog.records.pending": _pending,
    "fapilog.exporter.requests.limit": _requests_limit,
    "fapilog.exporter.requests.gap": _requests_gap,
    "fapilog.buffer.usage": _buffer_usage,
    "fapilog.buffer.limit": _buffer_limit,
    "fapilog.memory.usage": _memory,
    "fapilog.flight_recorder.records": _recorder_records,
    "fapilog.flight_recorder.traces": _recorder_traces,
    "fapilog.flight_recorder.decided": _recorder_decided,
    "fapilog.spool.usage": _spool("bytes"),
    "fapilog.spool.limit": _spool_limit,
    "fapilog.spool.blocks": _spool("blocks"),
    "fapilog.spool.records": _spool_records,
    "fapilog.spool.age": _spool_age,
    "fapilog.spool.disk_errors": _spool("disk_errors"),
    "fapilog.spool.adopted": _spool_adopted,
    "fapilog.spool.damaged": _spool("damaged_directories"),
    "fapilog.redaction.findings": _findings,
    "fapilog.stage.time": _stage_time,
    "fapilog.plugin.time": _plugin_time,
    "fapilog.plugin.calls": _plugin_calls,
}
