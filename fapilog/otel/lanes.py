"""Stage 1 of 7, emit: the pipelines behind a log record processor, one per resource. Thread: caller.

Levels and rules are the same in all of them, also in one that opens after they were changed.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native, pipeline
from fapilog.otel import rules
from fapilog.otel.outlet import Outlet
from fapilog.settings import Settings
from fapilog.severity import Severity
from fapilog.values import valid_text

# Scopes whose loggers are remembered; beyond it, the memory is cleared.
_SCOPES_LIMIT = 1_024
# Not the current one: records are emitted with the span that they carry.
_NO_SPAN = trace.set_span_in_context(trace.INVALID_SPAN, Context())
# Takes a pipeline, and the seconds for which the change lasts.
_Change = Callable[[_native.Pipeline, float | None], None]


class Lanes:
    """The pipelines of one processor; providers that share it have one each.

    Args:
        outlet: Opens them.
        settings: Their levels and rules at first.
    """

    def __init__(self, outlet: Outlet, settings: Settings) -> None:
        self._outlet = outlet
        self._settings = settings
        self._lock = threading.Lock()
        self._lanes: dict[int, tuple[Resource, Lane]] = {}
        self._gate: Lane | None = None
        # By kind and whether it ends: what was changed last, and until when (monotonic seconds).
        self._changes: dict[tuple[str, bool], tuple[_Change, float]] = {}

    def of(self, resource: Resource | None) -> Lane:
        """Return the lane of a resource."""
        found = self._lanes.get(id(resource))
        if found is None:
            with self._lock:
                found = self._lanes.get(id(resource)) or self._open(resource or Resource({}), id(resource))
        return found[1]

    def allows(self, scope: InstrumentationScope | None, severity: int, context: Context | None) -> bool:
        """Tell whether levels and rules let a record pass; 0 is a severity that nobody said."""
        return self._asked().logger(scope).is_enabled_for(severity, context)

    def set_level(
        self,
        level: Severity | str,
        levels: Mapping[str, Severity | str] | None,
        for_seconds: float | None,
    ) -> None:
        """Change the levels of every pipeline; as `LoggerProvider.set_level`."""
        by_name = self._settings.levels if levels is None else levels

        def change(native: _native.Pipeline, seconds: float | None) -> None:
            rules.set_level(native, level, by_name, seconds)

        self._change("levels", change, for_seconds)

    def set_rules(self, rules_by_pattern: rules.Rules, for_seconds: float | None) -> None:
        """Change the rules of every pipeline; as `LoggerProvider.set_rules`."""
        given = rules_by_pattern if isinstance(rules_by_pattern, Mapping) else tuple(rules_by_pattern)
        self._change("rules", partial(_set_rules, given), for_seconds)

    def _change(self, kind: str, change: _Change, for_seconds: float | None) -> None:
        gate = self._asked()
        with self._lock:
            change(gate.native, for_seconds)  # raises, if it is wrong, before any other
            if for_seconds is None:
                self._changes.pop((kind, True), None)
            ends = math.inf if for_seconds is None else time.monotonic() + for_seconds
            self._changes[kind, for_seconds is not None] = (change, ends)
            for lane in {id(lane): lane for _, lane in self._lanes.values()}.values():
                change(lane.native, for_seconds)

    def _asked(self) -> Lane:
        """A pipeline that is only asked: a question names no resource."""
        if self._gate is None:
            made = Lane(pipeline.build(self._settings, Resource({}), []))
            with self._lock:
                self._gate = self._gate or made
        return self._gate

    def _open(self, resource: Resource, key: int) -> tuple[Resource, Lane]:
        # A provider may make an equal resource anew, as the SDK does after a fork.
        equal = [entry for entry in self._lanes.values() if entry[0] == resource]
        lane = equal[0][1] if equal else self._made(resource)
        # Kept with its resource, so that no other one can get its id.
        self._lanes[key] = (resource, lane)
        return self._lanes[key]

    def _made(self, resource: Resource) -> Lane:
        lane, now = Lane(self._outlet.open(resource)), time.monotonic()
        for (_, ending), (change, ends) in sorted(self._changes.items(), key=lambda item: item[0][1]):
            if ends > now:
                change(lane.native, ends - now if ending else None)
        return lane


class Lane:
    """The native loggers of one pipeline, by scope."""

    def __init__(self, native: _native.Pipeline) -> None:
        self.native = native
        self.handle = _native.PipelineHandle()
        self.handle.attach(native)
        self._loggers: dict[int, tuple[InstrumentationScope | None, _native.Logger]] = {}

    def emit(self, readable: ReadWriteLogRecord | ReadableLogRecord) -> None:
        """Encode a record of another provider and put it into the buffer."""
        record = readable.log_record
        severity: Any = record.severity_number
        fields: dict[str, Any] = {
            "body": record.body,
            "severity_number": getattr(severity, "value", severity) or 0,
            "severity_text": record.severity_text or "",
            "time_unix_nano": record.timestamp,
            "observed_time_unix_nano": record.observed_timestamp,
            "attributes": record.attributes,
            "event_name": record.event_name,
            "context": _context(record),
        }
        self.logger(readable.instrumentation_scope).emit_record(**fields)

    def logger(self, scope: InstrumentationScope | None) -> _native.Logger:
        """Return the logger of a scope."""
        known = self._loggers.get(id(scope))
        if known is None:
            if len(self._loggers) >= _SCOPES_LIMIT:
                self._loggers.clear()
            known = self._loggers[id(scope)] = (scope, self._make(scope))
        return known[1]

    def _make(self, scope: InstrumentationScope | None) -> _native.Logger:
        if scope is None:
            return _native.Logger(self.handle, "", api=True)
        return _native.Logger(
            self.handle,
            valid_text(scope.name),
            version=valid_text(scope.version),
            schema_url=valid_text(scope.schema_url),
            scope_attributes=dict(scope.attributes) if scope.attributes else None,
            api=True,
        )


def _set_rules(given: rules.Rules, native: _native.Pipeline, for_seconds: float | None) -> None:
    rules.set_rules(native, given, for_seconds)


def _context(record: Any) -> Context | None:
    """A context with the record's own span: a processor before this one may have changed its ids."""
    if not record.trace_id:
        return _NO_SPAN
    own = (record.trace_id, record.span_id or 0, record.trace_flags or 0)
    span = trace.get_current_span(record.context).get_span_context()
    if own == (span.trace_id, span.span_id, span.trace_flags):
        context: Context | None = record.context
        return context
    flags = trace.TraceFlags(own[2])
    made = trace.SpanContext(own[0], own[1], is_remote=False, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(made), Context())
