"""How a value gets into spans, metrics, baggage and records of stock providers, and what arrives of it.

The providers are made here as `configure_otel()` leaves them: exporters in memory stand before our boundary
and behind it, and on a tracer provider of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from opentelemetry import baggage
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags

from fapilog.controls.vectors import Vector
from fapilog.otel.redacting_baggage import RedactingBaggagePropagator
from fapilog.otel.redacting_logs import RedactingLogRecordExporter, RedactingLogRecordProcessor
from fapilog.otel.redacting_metrics import MetricRedactor, guard_reader
from fapilog.otel.redacting_spans import RedactingSpanProcessor, RedactingSpanProcessors
from fapilog.settings.redaction import RedactionSettings
from fapilog.testing.exported import spans_of
from fapilog.testing.forms import Reading
from fapilog.testing.leaks import readable, texts_of

_SCOPE = "fapilog.controls"
_APART = "\n\n\n\n"
_ELSEWHERE = SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(1))
# A view keeps this attribute; what else a measurement has goes to its exemplar.
_KEPT = "kept"


class Signals:
    """Providers of all signals under one policy, and what their exporters in memory got.

    Args:
        redaction: The policy, as `Settings.redaction_in_force`.
        resource: Attributes of the resource of all providers.

    Example:
        >>> signals = Signals(RedactionSettings(mode="scan"))
        >>> signals.tracers[0].get_tracer("shop").start_span("mail to ann@example.org").end()
        >>> "mail to [REDACTED:email]" in signals.take()["span before ours"].text
        True
    """

    def __init__(self, redaction: RedactionSettings, resource: Mapping[str, Any] | None = None) -> None:
        self.resource = Resource(dict(resource or {}))
        self.spans = {
            name: InMemorySpanExporter() for name in ("span before ours", "span behind ours", "span of ours")
        }
        before, behind, own = map(SimpleSpanProcessor, self.spans.values())
        stock = TracerProvider(resource=self.resource, shutdown_on_exit=False)
        for processor in (before, RedactingSpanProcessor(redaction), behind):
            stock.add_span_processor(processor)
        ours = TracerProvider(
            resource=self.resource,
            shutdown_on_exit=False,
            active_span_processor=RedactingSpanProcessors(redaction),
        )
        ours.add_span_processor(own)
        self.tracers = (stock, ours)
        self.records = {
            # Before our processor an exporter must be wrapped: the SDK copies a record for it at once.
            name: InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
            for name in ("record before ours, wrapped", "record behind ours")
        }
        wrapped, plain = self.records.values()
        self.loggers = LoggerProvider(self.resource, shutdown_on_exit=False)
        self.loggers.add_log_record_processor(
            SimpleLogRecordProcessor(RedactingLogRecordExporter(wrapped, redaction))
        )
        self.loggers.add_log_record_processor(RedactingLogRecordProcessor(redaction))
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(plain))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider(
            [self.reader],
            self.resource,
            AlwaysOnExemplarFilter(),
            shutdown_on_exit=False,
            views=[View(instrument_name="exemplars", attribute_keys={_KEPT})],
        )
        guard_reader(self.reader, MetricRedactor(redaction))
        self.propagator = RedactingBaggagePropagator(W3CBaggagePropagator(), redaction)
        self.headers: list[str] = []

    def take(self) -> dict[str, Reading]:
        """Return what each exporter got since the last call, as text."""
        taken: dict[str, list[str]] = {}
        for name, exporter in self.spans.items():
            taken[name] = [
                text for each in spans_of(exporter.get_finished_spans()) for text in _texts(each.values)
            ]
            exporter.clear()
        for name, records in self.records.items():
            taken[name] = [text for each in records.get_finished_logs() for text in _texts(_record(each))]
            records.clear()
        collected = self.reader.get_metrics_data()
        taken["metric"] = _texts(json.loads(collected.to_json())) if collected is not None else []
        taken["baggage header"], self.headers = self.headers, []
        return {name: Reading(_APART.join(texts)) for name, texts in taken.items()}

    def shutdown(self) -> None:
        """End the providers."""
        for provider in (*self.tracers, self.loggers, self.meters):
            provider.shutdown()


Send = Callable[[Signals, Vector], bool]


def _texts(value: Any) -> list[str]:
    return [text for _, text in texts_of(readable(value), "")]


def _record(given: Any) -> dict[str, Any]:
    record, scope = given.log_record, given.instrumentation_scope
    return {
        "body": record.body,
        "severity": record.severity_text,
        "event": record.event_name,
        "attributes": dict(record.attributes or {}),
        "scope": [scope.name, scope.version, scope.schema_url, dict(scope.attributes or {})] if scope else [],
        "resource": dict(given.resource.attributes),
    }


def _in_span(put: Callable[[Any, Vector], object]) -> Send:
    """A carrier that is written to a span."""

    def send(signals: Signals, vector: Vector) -> bool:
        for provider in signals.tracers:
            with provider.get_tracer(_SCOPE).start_as_current_span("control") as span:
                put(span, vector)
        return True

    return send


def _span_name(signals: Signals, vector: Vector) -> bool:
    for provider in signals.tracers:
        provider.get_tracer(_SCOPE).start_span(vector.text).end()
    return True


def _span_link(signals: Signals, vector: Vector) -> bool:
    links = [Link(_ELSEWHERE, {vector.key: vector.field})]
    for provider in signals.tracers:
        provider.get_tracer(_SCOPE).start_span("control", links=links).end()
    return True


def _span_scope(signals: Signals, vector: Vector) -> bool:
    for provider in signals.tracers:
        tracer = provider.get_tracer(vector.text or _SCOPE, attributes={vector.key: vector.field})
        tracer.start_span("control").end()
    return True


def _span_exception(signals: Signals, vector: Vector) -> bool:
    for provider in signals.tracers:
        with suppress(RuntimeError), provider.get_tracer(_SCOPE).start_as_current_span("control"):
            _fail(vector.text)
    return True


def _metric_attribute(signals: Signals, vector: Vector) -> bool:
    meter = signals.meters.get_meter(_SCOPE)
    meter.create_counter("control").add(1, {vector.key: vector.field})
    return True


def _metric_exemplar(signals: Signals, vector: Vector) -> bool:
    attributes: dict[str, Any] = {vector.key: vector.field, _KEPT: 1}
    signals.meters.get_meter(_SCOPE).create_histogram("exemplars").record(1, attributes)
    return True


def _metric_scope(signals: Signals, vector: Vector) -> bool:
    signals.meters.get_meter(vector.text or _SCOPE, attributes={vector.key: vector.field}).create_counter(
        "control"
    ).add(1)
    return True


def _baggage(signals: Signals, vector: Vector) -> bool:
    headers: dict[str, str] = {}
    context = baggage.set_baggage("control", 1, baggage.set_baggage(vector.key, vector.field, Context()))
    if vector.text:
        context = baggage.set_baggage("note", vector.text, context)
    signals.propagator.inject(headers, context)
    signals.headers.append(headers.get("baggage", ""))
    return True


def _in_record(**parts: Callable[[Vector], Any]) -> Send:
    """A carrier that is a part of a log record of a stock provider."""

    def send(signals: Signals, vector: Vector) -> bool:
        made: dict[str, Any] = {name: make(vector) for name, make in parts.items()}
        record = LogRecord(severity_number=SeverityNumber.INFO, **{"body": "control", **made})
        signals.loggers.get_logger(_SCOPE).emit(record)
        return True

    return send


def _record_scope(signals: Signals, vector: Vector) -> bool:
    logger = signals.loggers.get_logger(vector.text or _SCOPE, attributes={vector.key: vector.field})
    logger.emit(LogRecord(body="control"))
    return True


def _exception(vector: Vector) -> Exception:
    try:
        _fail(vector.text)
    except RuntimeError as error:
        return error
    raise AssertionError  # pragma: no cover - it fails


def _fail(text: str) -> None:
    """An error whose cause holds the text: it stands in the message and twice in the stack."""
    try:
        raise ValueError(text)
    except ValueError as error:
        raise RuntimeError(f"control: {text}") from error


def _with_text(send: Send) -> Send:
    """Some types have no sentence that speaks for them, only a key."""
    return lambda signals, vector: bool(vector.text) and send(signals, vector)


CARRIERS: Mapping[str, Send] = MappingProxyType(
    {
        "span.name": _with_text(_span_name),
        "span.attribute": _in_span(lambda span, vector: span.set_attribute(vector.key, vector.field)),
        "span.attribute.array": _in_span(
            lambda span, vector: span.set_attribute(vector.key, ("first", vector.field))
        ),
        "span.attribute.text": _with_text(
            _in_span(lambda span, vector: span.set_attribute("note", vector.text))
        ),
        "span.attribute.key": _with_text(_in_span(lambda span, vector: span.set_attribute(vector.text, 1))),
        "span.event.name": _with_text(_in_span(lambda span, vector: span.add_event(vector.text))),
        "span.event.attribute": _in_span(
            lambda span, vector: span.add_event("control", {vector.key: vector.field})
        ),
        "span.exception": _with_text(_span_exception),
        "span.link": _span_link,
        "span.status": _with_text(
            _in_span(lambda span, vector: span.set_status(StatusCode.ERROR, vector.text))
        ),
        "span.scope": _span_scope,
        "baggage": _baggage,
        "metric.attribute": _metric_attribute,
        "metric.exemplar": _metric_exemplar,
        "metric.scope": _metric_scope,
        "record.body": _with_text(_in_record(body=lambda vector: vector.text)),
        "record.body.map": _in_record(body=lambda vector: {"inner": [{vector.key: vector.field}]}),
        "record.body.bytes": _with_text(_in_record(body=lambda vector: vector.text.encode())),
        "record.attribute": _in_record(attributes=lambda vector: {vector.key: vector.field}),
        "record.attribute.nested": _in_record(
            attributes=lambda vector: {"outer": {"inner": [{vector.key: vector.field}]}}
        ),
        "record.attribute.key": _with_text(_in_record(attributes=lambda vector: {vector.text: 1})),
        "record.event.name": _with_text(_in_record(event_name=lambda vector: vector.text)),
        "record.severity": _with_text(_in_record(severity_text=lambda vector: vector.text)),
        "record.exception": _with_text(_in_record(exception=_exception)),
        "record.scope": _record_scope,
    }
)
"""By name: puts a vector into one carrier, and tells whether it could."""
