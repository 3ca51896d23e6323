"""The other signals: spans, metrics and baggage under the policy of the settings, each with its carriers.

The providers are those of OpenTelemetry's SDK behind fapilog's boundary, as `configure_otel()` makes them.
What is looked at is what their exporters are given, and its OTLP bytes; for baggage, the headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fapilog.controls.vectors import Vector
from fapilog.otel.redacting_baggage import RedactingBaggagePropagator
from fapilog.otel.redacting_metrics import MetricRedactor, guard_reader
from fapilog.otel.redacting_spans import RedactingSpanProcessors
from fapilog.settings import Settings
from fapilog.testing.exported import Exported, metrics_of, spans_of
from fapilog.testing.forms import Reading
from fapilog.testing.leaks import readable, texts_of

_APART = "\n\n\n\n"
_EXEMPLARS = "fapilog.controls.exemplars"

Send = Callable[[Any, Vector], bool]


class Signal(Protocol):
    """A signal under test.

    Attributes:
        name: What stands for its exporter in the report.
        carriers: How a value gets into it, by name.
    """

    name: str
    carriers: Mapping[str, Send]

    def take(self) -> tuple[Reading, int]:
        """Return what left since the last call, and of how many things that were sent."""


class Spans:
    """Spans of the SDK behind `RedactingSpanProcessors`."""

    name = "spans"

    def __init__(self, settings: Settings, resource: Resource) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=RedactingSpanProcessors(settings.redaction_in_force),
        )
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("fapilog.controls")
        self.carriers: Mapping[str, Send] = {
            "span.name": self._name,
            "span.attribute": self._attribute,
            "span.attribute.list": self._list,
            "span.event.name": self._event_name,
            "span.event.attribute": self._event_attribute,
            "span.event.exception": self._exception,
            "span.link": self._link,
            "span.status": self._status,
        }

    def take(self) -> tuple[Reading, int]:
        """Return what the exporter was given since the last call."""
        spans = self._exporter.get_finished_spans()
        self._exporter.clear()
        return _reading(spans_of(spans), encode_spans(spans).SerializeToString()), len(spans)

    def _name(self, _signal: object, vector: Vector) -> bool:
        if vector.text:
            self._tracer.start_span(vector.text).end()
        return bool(vector.text)

    def _attribute(self, _signal: object, vector: Vector) -> bool:
        self._tracer.start_span("control", attributes={vector.key: vector.field}).end()
        return True

    def _list(self, _signal: object, vector: Vector) -> bool:
        self._tracer.start_span("control", attributes={vector.key: ["first", vector.field]}).end()
        return True

    def _event_name(self, _signal: object, vector: Vector) -> bool:
        return self._with_text(vector, lambda span: span.add_event(vector.text))

    def _event_attribute(self, _signal: object, vector: Vector) -> bool:
        span = self._tracer.start_span("control")
        span.add_event("control", {vector.key: vector.field})
        span.end()
        return True

    def _exception(self, _signal: object, vector: Vector) -> bool:
        return self._with_text(vector, lambda span: span.record_exception(ValueError(vector.text)))

    def _link(self, _signal: object, vector: Vector) -> bool:
        context = trace.SpanContext(1, 1, is_remote=True)
        link = trace.Link(context, {vector.key: vector.field})
        self._tracer.start_span("control", links=[link]).end()
        return True

    def _status(self, _signal: object, vector: Vector) -> bool:
        status = trace.Status(trace.StatusCode.ERROR, vector.text)
        return self._with_text(vector, lambda span: span.set_status(status))

    def _with_text(self, vector: Vector, change: Callable[[trace.Span], object]) -> bool:
        if vector.text:
            span = self._tracer.start_span("control")
            change(span)
            span.end()
        return bool(vector.text)


class Metrics:
    """Metrics of the SDK whose reader is guarded; exemplars hold the attributes that a view took away."""

    name = "metrics"

    def __init__(self, settings: Settings, resource: Resource) -> None:
        self._reader = InMemoryMetricReader()
        view = View(instrument_name=_EXEMPLARS, attribute_keys=set())
        provider = MeterProvider([self._reader], resource=resource, views=[view], shutdown_on_exit=False)
        guard_reader(self._reader, MetricRedactor(settings.redaction_in_force))
        meter = provider.get_meter("fapilog.controls")
        self._counter = meter.create_counter("fapilog.controls.attributes")
        self._exemplars = meter.create_counter(_EXEMPLARS)
        self._sent = 0
        self.carriers: Mapping[str, Send] = {
            "metric.attribute": self._attribute,
            "metric.exemplar": self._exemplar,
        }

    def take(self) -> tuple[Reading, int]:
        """Return what the reader collected; each vector makes one point, or is an exemplar of one."""
        data: Any = self._reader.get_metrics_data()
        sent, self._sent = self._sent, 0
        if data is None:
            return Reading(""), 0
        return _reading(metrics_of(data), encode_metrics(data).SerializeToString()), sent

    def _attribute(self, _signal: object, vector: Vector) -> bool:
        self._counter.add(1, {vector.key: vector.field})
        self._sent += 1
        return True

    def _exemplar(self, _signal: object, vector: Vector) -> bool:
        # An exemplar is kept of a measurement inside a sampled span, one at a time.
        context = trace.SpanContext(2, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
        with trace.use_span(trace.NonRecordingSpan(context)):
            self._exemplars.add(1, {vector.key: vector.field})
        self._sent += 1
        return True


class Baggage:
    """Baggage behind `RedactingBaggagePropagator`."""

    name = "baggage"

    def __init__(self, settings: Settings) -> None:
        self._propagator = RedactingBaggagePropagator(W3CBaggagePropagator(), settings.redaction_in_force)
        self._headers: list[str] = []
        self.carriers: Mapping[str, Send] = {"baggage.value": self._value, "baggage.text": self._text}

    def take(self) -> tuple[Reading, int]:
        """Return the headers since the last call."""
        headers, self._headers = self._headers, []
        return Reading(_APART.join(headers)), len(headers)

    def _value(self, _signal: object, vector: Vector) -> bool:
        return self._inject(vector.key, vector.field)

    def _text(self, _signal: object, vector: Vector) -> bool:
        return bool(vector.text) and self._inject("note", vector.text)

    def _inject(self, name: str, value: str) -> bool:
        headers: dict[str, str] = {}
        self._propagator.inject(headers, baggage.set_baggage(name, value))
        self._headers.append(str(headers))
        return True


def signals(settings: Settings, resource: Resource) -> Sequence[Signal]:
    """Return the other signals under the policy of the settings."""
    return (Spans(settings, resource), Metrics(settings, resource), Baggage(settings))


def _reading(pieces: Iterator[Exported], encoded: bytes) -> Reading:
    texts = [
        text
        for piece in pieces
        for part, value in piece.values.items()
        for _, text in texts_of(readable(value), part)
    ]
    return Reading(_APART.join([*texts, encoded.decode("utf-8", "replace")]))
