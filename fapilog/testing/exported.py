"""Everything that leaves the process through fapilog during a block, as plain values, for tests.

Four sources: a tap on the pipeline sees records as they are accepted; the native side shows requests, lines
and blocks as they leave (`_native.watch_exports`); exporters of spans and metrics, and propagators, are
listened to by class.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog import _native, in_force, lifecycle
from fapilog.testing.capture import CapturedLogs, capture_logs
from fapilog.testing.decoding import ReceivedLogRecord, decode_log_records
from fapilog.testing.headers import listen

# What stands between the application and an exporter sees what the exporter does not.
_BETWEEN = ("fapilog.otel.",)


@dataclass(frozen=True)
class Exported:
    """A part of what left.

    Attributes:
        way: How: `record` (accepted by a pipeline), `http`, `file`, `stream`, `python`, `spool`, `console`,
            `span`, `metric`, `header` (baggage).
        values: What it holds: `body`, `attributes`, `resource`, `scope` and more, each a plain value.
    """

    way: str
    values: Mapping[str, Any]


class Exports:
    """What left so far; `take()` returns what is new."""

    def __init__(self, captured: CapturedLogs, ways: Ways) -> None:
        self._captured = captured
        self._ways = ways
        self._seen = 0
        self._lock = threading.Lock()
        self._pieces: list[Exported] = []
        self.left_out = 0

    def add(self, piece: Exported) -> None:
        """Note something that left."""
        with self._lock:
            self._pieces.append(piece)

    def take(self, timeout_millis: int) -> list[Exported]:
        """Flush every pipeline of the process, and return what left since the last call.

        Args:
            timeout_millis: Longest wait for receivers that do not answer. What was tried counts as gone.
        """
        _flush(timeout_millis)
        pieces, left_out = self._ways.take()
        self.left_out += left_out
        records = list(self._captured)[self._seen :]
        self._seen += len(records)
        with self._lock:
            others, self._pieces = self._pieces, []
        ways = [each for way, piece in pieces for each in decoded(way, piece)]
        return [*(Exported("record", _record(record)) for record in records), *ways, *others]


class Ways:
    """What the native side shows of what leaves, for one who watches."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, bytes]] = []
        self.left_out = 0

    def take(self) -> tuple[list[tuple[str, bytes]], int]:
        """Return what left since the last call, each piece with its way, and how many could not be kept."""
        with _lock:
            pieces, left_out = _native.watched_exports()
            for each in _watching:
                each.pieces += pieces
                each.left_out += left_out
            taken = self.pieces, self.left_out
            self.pieces, self.left_out = [], 0
            return taken


_lock = threading.Lock()
_watching: list[Ways] = []


@contextmanager
def record_ways() -> Iterator[Ways]:
    """Record what leaves through native code, on every way, inside the block; blocks may overlap."""
    ways = Ways()
    with _lock:
        _watching.append(ways)
        if len(_watching) == 1:
            _native.watch_exports(True)
    try:
        yield ways
    finally:
        with _lock:
            _watching.remove(ways)
            if not _watching:
                _native.watch_exports(False)


@contextmanager
def record_exports() -> Iterator[Exports]:
    """Record everything that leaves the process inside the block; blocks may overlap.

    Example:
        >>> import fapilog
        >>> with record_exports() as exports:
        ...     _ = fapilog.get_logger("orders").info("placed")
        ...     [piece] = exports.take(1_000)
        >>> piece.way, piece.values["body"]
        ('record', 'placed')
    """
    with ExitStack() as stack:
        captured = stack.enter_context(capture_logs())
        exports = Exports(captured, stack.enter_context(record_ways()))
        baggage = listen(lambda values: exports.add(Exported("header", values)))
        for undo in (*_listen(exports), *baggage):
            stack.callback(undo)
        yield exports


def decoded(way: str, piece: bytes) -> Iterator[Exported]:
    """Read what the native side shows: a line of the console, or a request with its records."""
    if way == "console":
        yield Exported(way, {"line": piece.decode("utf-8", "replace")})
        return
    for record in decode_log_records(ExportLogsServiceRequest.FromString(piece)):
        yield Exported(way, _record(record))


def _record(record: ReceivedLogRecord) -> dict[str, Any]:
    return {
        "body": record.body,
        "attributes": record.attributes,
        "event_name": record.event_name,
        "severity_text": record.severity_text,
        "scope.name": record.scope_name,
        "scope.version": record.scope_version,
        "scope.attributes": record.scope_attributes,
        "resource": record.resource,
    }


def _flush(timeout_millis: int) -> None:
    configured = in_force.current()
    if configured is not None:
        configured.force_flush(timeout_millis)
    for provider in lifecycle.live():
        if configured is None or provider is not configured.logger_provider:
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                flush(timeout_millis)


def _listen(exports: Exports) -> Iterator[Callable[[], None]]:
    """Hear what exporters of spans and metrics are given, those of classes that exist now."""
    kinds = (
        ("opentelemetry.sdk.trace.export", "SpanExporter", spans_of),
        ("opentelemetry.sdk.metrics.export", "MetricExporter", metrics_of),
    )
    for module, name, read in kinds:
        for exporter in _subclasses(getattr(import_module(module), name)):
            if "export" in vars(exporter) and not exporter.__module__.startswith(_BETWEEN):
                yield _hear(exporter, exports, read)


def _subclasses(parent: type) -> Iterator[type]:
    children: list[type] = parent.__subclasses__()
    for child in children:
        yield child
        yield from _subclasses(child)


def _hear(exporter: type, exports: Exports, read: Callable[[Any], Iterator[Exported]]) -> Callable[[], None]:
    plain = vars(exporter)["export"]

    @functools.wraps(plain)
    def export(self: Any, data: Any, *arguments: Any, **named: Any) -> Any:
        for piece in read(data):
            exports.add(piece)
        return plain(self, data, *arguments, **named)

    def undo() -> None:
        if vars(exporter).get("export") is export:
            setattr(exporter, "export", plain)  # noqa: B010 - a class that is not known here

    setattr(exporter, "export", export)  # noqa: B010
    return undo


def spans_of(spans: Any) -> Iterator[Exported]:
    """Read spans as an exporter of OpenTelemetry gets them."""
    for span in spans:
        scope = span.instrumentation_scope
        yield Exported(
            "span",
            {
                "name": span.name,
                "attributes": dict(span.attributes or {}),
                "events": [{"name": each.name, **dict(each.attributes or {})} for each in span.events],
                "links": [dict(each.attributes or {}) for each in span.links],
                "status": span.status.description or "",
                "trace_state": span.context.trace_state.to_header() if span.context else "",
                "scope.name": scope.name if scope else "",
                "scope.attributes": dict((scope and scope.attributes) or {}),
                "resource": dict(span.resource.attributes),
            },
        )


def metrics_of(data: Any) -> Iterator[Exported]:
    """Read metrics as an exporter of OpenTelemetry gets them."""
    for resource_metrics in data.resource_metrics:
        resource = dict(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = scope_metrics.scope
            for metric in scope_metrics.metrics:
                for point in metric.data.data_points:
                    exemplars = getattr(point, "exemplars", None) or ()
                    yield Exported(
                        "metric",
                        {
                            "name": metric.name,
                            "description": metric.description or "",
                            "attributes": dict(point.attributes or {}),
                            "exemplars": [dict(each.filtered_attributes or {}) for each in exemplars],
                            "scope.name": scope.name if scope else "",
                            "resource": resource,
                        },
                    )
