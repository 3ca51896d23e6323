"""Spans under the rules for records: before and after ours, with the SDK's private names and without them."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from fapilog import otel_private
from fapilog.otel.redacting_spans import (
    RedactingSpanExporter,
    RedactingSpanProcessor,
    RedactingSpanProcessors,
)
from fapilog.settings.redaction import RedactionSettings

CARD = "4111 1111 1111 1111"
EMAIL = "ann@example.org"
SCAN = RedactionSettings(mode="scan")
ELSEWHERE = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1))


def fill(provider: TracerProvider) -> None:
    """One span with something to hide in each of its parts."""
    tracer = provider.get_tracer(f"shop {CARD}", "1", f"https://u:p@host/{EMAIL}", {"owner": EMAIL})
    links = [Link(ELSEWHERE, {"card": CARD})]
    attributes = {"db.password": "hunter2"}
    start = tracer.start_as_current_span(f"pay {CARD}", links=links, attributes=attributes)
    with suppress(ValueError), start as span:
        span.set_attribute("cards", ("a", CARD))
        span.set_attribute(EMAIL, 1)
        span.add_event(f"paid {CARD}", {"card": CARD, "api_key": "k"})
        raise ValueError(f"declined {CARD}")


def texts(span: ReadableSpan) -> str:
    """Whatever can be read in a span, private parts included."""
    scope: Any = span.instrumentation_scope
    parts = [
        span.name,
        dict(span.attributes or {}),
        [(event.name, dict(event.attributes or {})) for event in span.events],
        [dict(link.attributes or {}) for link in span.links],
        span.status.description,
        dict(span.resource.attributes),
        span.resource.schema_url,
        (scope.name, scope.version, scope.schema_url, dict(scope.attributes or {})) if scope else None,
        span.to_json(),
        vars(span),
    ]
    return repr(parts)


def without_secrets(span: ReadableSpan) -> bool:
    shown = texts(span)
    return not any(secret in shown for secret in ("4111", "hunter2", EMAIL, "u:p@"))


def provider_of(*processors: SpanProcessor, **arguments: Any) -> TracerProvider:
    resource = Resource({"owner": f"card {CARD}"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, **arguments)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


@pytest.fixture
def sdk_without_private_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(otel_private, "held_span_parts", lambda _: None)
    return None


def before_and_after(ours: SpanProcessor) -> tuple[InMemorySpanExporter, InMemorySpanExporter]:
    before, after = InMemorySpanExporter(), InMemorySpanExporter()
    fill(provider_of(SimpleSpanProcessor(before), ours, SimpleSpanProcessor(after)))
    return before, after


def test_exporters_before_and_after_ours_get_nothing_that_is_hidden():
    for exporter in before_and_after(RedactingSpanProcessor(SCAN)):
        [span] = exporter.get_finished_spans()
        assert without_secrets(span)


def test_every_part_keeps_what_is_not_hidden():
    exporter, _ = before_and_after(RedactingSpanProcessor(SCAN))
    [span] = exporter.get_finished_spans()
    assert span.name == "pay [REDACTED:pan]"
    assert dict(span.attributes or {}) == {
        "db.password": "[REDACTED:secret]",
        "cards": ("a", "[REDACTED:pan]"),
        "[REDACTED:email]": 1,
    }
    paid, exception = span.events
    assert (paid.name, dict(paid.attributes or {})) == (
        "paid [REDACTED:pan]",
        {"card": "[REDACTED:pan]", "api_key": "[REDACTED:secret]"},
    )
    assert exception.name == "exception"
    assert dict(exception.attributes or {})["exception.message"] == "declined [REDACTED:pan]"
    assert [(link.context, dict(link.attributes or {})) for link in span.links] == [
        (ELSEWHERE, {"card": "[REDACTED:pan]"})
    ]
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: declined [REDACTED:pan]"
    assert dict(span.resource.attributes) == {"owner": "card [REDACTED:pan]"}
    scope: Any = span.instrumentation_scope
    assert scope.name == "shop [REDACTED:pan]"
    assert span.start_time is not None
    assert span.end_time is not None


def test_by_default_secret_names_and_credentials_in_urls_are_hidden_and_values_stay():
    exporter = InMemorySpanExporter()
    provider = provider_of(SimpleSpanProcessor(exporter), RedactingSpanProcessor())
    with provider.get_tracer("shop").start_as_current_span(f"pay {CARD}") as span:
        span.set_attributes({"authorization": "Bearer x", "url.full": "https://u:p@host/", "card": CARD})
    [ended] = exporter.get_finished_spans()
    assert ended.name == f"pay {CARD}"
    assert dict(ended.attributes or {}) == {
        "authorization": "[REDACTED:secret]",
        "url.full": "https://REDACTED:REDACTED@host/",
        "card": CARD,
    }


def test_behind_our_boundary_every_processor_is_covered_whenever_it_is_added():
    early, late = InMemorySpanExporter(), InMemorySpanExporter()
    provider = provider_of(active_span_processor=RedactingSpanProcessors(SCAN))
    provider.add_span_processor(SimpleSpanProcessor(early))
    fill(provider)
    provider.add_span_processor(SimpleSpanProcessor(late))
    fill(provider)
    ended = (*early.get_finished_spans(), *late.get_finished_spans())
    assert [without_secrets(span) for span in ended] == [True] * 3


@pytest.mark.usefixtures("sdk_without_private_names")
def test_a_release_that_hides_its_spans_from_us_has_the_boundary_with_public_names():
    def boundary(exporter: InMemorySpanExporter) -> TracerProvider:
        provider = provider_of(active_span_processor=RedactingSpanProcessors(SCAN))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider

    def wrapped(exporter: InMemorySpanExporter) -> TracerProvider:
        return provider_of(RedactingSpanProcessor(SCAN, processor=SimpleSpanProcessor(exporter)))

    def exported(exporter: InMemorySpanExporter) -> TracerProvider:
        return provider_of(SimpleSpanProcessor(RedactingSpanExporter(exporter, SCAN)))

    ways: list[Callable[[InMemorySpanExporter], TracerProvider]] = [boundary, wrapped, exported]
    for way in ways:
        exporter = InMemorySpanExporter()
        fill(way(exporter))
        [span] = exporter.get_finished_spans()
        assert without_secrets(span), way.__name__
        assert span.name == "pay [REDACTED:pan]"
        assert span.status.status_code is StatusCode.ERROR


@pytest.mark.usefixtures("sdk_without_private_names")
def test_a_processor_that_can_protect_nobody_says_so(capsys: pytest.CaptureFixture[str]):
    fill(provider_of(RedactingSpanProcessor(SCAN)))
    assert "RedactingSpanExporter" in capsys.readouterr().err


def test_a_wrapping_exporter_takes_batches_of_a_stock_provider():
    exporter = InMemorySpanExporter()
    batches = BatchSpanProcessor(RedactingSpanExporter(exporter, SCAN))
    fill(provider_of(batches))
    assert batches.force_flush(30_000)
    [span] = exporter.get_finished_spans()
    assert without_secrets(span)
    batches.shutdown()


def test_a_span_with_nothing_to_hide_stays_the_object_that_it_is():
    kept: list[ReadableSpan] = []

    class Keeps(InMemorySpanExporter):
        def export(self, spans: Any) -> Any:
            kept.extend(spans)
            return super().export(spans)

    provider = provider_of(SimpleSpanProcessor(RedactingSpanExporter(Keeps(), SCAN)))
    provider = TracerProvider(shutdown_on_exit=False)
    seen: list[ReadableSpan] = []

    class Sees(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            seen.append(span)

    provider.add_span_processor(Sees())
    provider.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(Keeps(), SCAN)))
    with provider.get_tracer("shop").start_as_current_span("GET", attributes={"n": 1}) as span:
        span.add_event("looked", {"a": "b"})
    assert kept == seen
    assert kept[0] is seen[0]


def test_what_the_sdk_dropped_is_still_counted():
    exporter = InMemorySpanExporter()
    limits = SpanLimits(max_span_attributes=1, max_events=1, max_links=1)
    provider = provider_of(SimpleSpanProcessor(exporter), RedactingSpanProcessor(SCAN), span_limits=limits)
    links = [Link(ELSEWHERE, {"n": n, "card": CARD}) for n in range(3)]
    with provider.get_tracer("shop").start_as_current_span("pay", links=links) as span:
        for number in range(3):
            span.set_attribute(f"card{number}", CARD)
            span.add_event("paid", {"card": CARD})
    [ended] = exporter.get_finished_spans()
    assert without_secrets(ended)
    assert (ended.dropped_attributes, ended.dropped_events, ended.dropped_links) == (2, 2, 2)


def test_a_span_that_another_processor_ends_meanwhile_is_redacted_too():
    class EndsOne(SpanProcessor):
        def _on_ending(self, span: Span) -> None:
            if span.name == "outer":
                with provider.get_tracer("inner").start_as_current_span(f"inner {CARD}"):
                    pass

    exporter = InMemorySpanExporter()
    provider = provider_of(active_span_processor=RedactingSpanProcessors(SCAN))
    provider.add_span_processor(EndsOne())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("shop").start_as_current_span("outer") as span:
        span.set_attribute("card", CARD)
    assert [span.name for span in exporter.get_finished_spans()] == ["inner [REDACTED:pan]", "outer"]
    assert all(without_secrets(span) for span in exporter.get_finished_spans() if span.name == "outer")


def test_a_span_that_cannot_be_read_is_exported_without_its_content(capsys: pytest.CaptureFixture[str]):
    exporter = InMemorySpanExporter()
    provider = provider_of(SimpleSpanProcessor(exporter), RedactingSpanProcessor(SCAN))
    with provider.get_tracer("shop").start_as_current_span(f"pay {CARD}") as span:
        held: Any = span
        held._events = [object()]
        held.set_status(Status(StatusCode.ERROR, CARD))
    [ended] = exporter.get_finished_spans()
    assert ended.name == "[REDACTED:unscanned]"
    assert dict(ended.attributes or {}) == {"fapilog.redacted": "[REDACTED:unscanned]"}
    assert (ended.status.status_code, ended.status.description) == (StatusCode.ERROR, None)
    assert "4111" not in texts(ended)
    assert "[unscanned]" in capsys.readouterr().err


def test_another_policy_counts_from_then_on():
    exporter, ours = InMemorySpanExporter(), RedactingSpanProcessor()
    provider = provider_of(SimpleSpanProcessor(exporter), ours)
    for settings in (RedactionSettings(), SCAN):
        ours.use(settings)
        with provider.get_tracer("shop").start_as_current_span(f"pay {CARD}"):
            pass
    assert [span.name for span in exporter.get_finished_spans()] == [f"pay {CARD}", "pay [REDACTED:pan]"]
