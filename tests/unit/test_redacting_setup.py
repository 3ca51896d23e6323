"""`configure_otel()` leaves no signal another way out: in providers of ours, and in those of others."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider as StockLoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fapilog import otel_private
from fapilog.otel.redacting_metrics import RedactingMeterProvider

CARD = "4111 1111 1111 1111"
RESOURCE = Resource({"owner": f"card {CARD}"})


@pytest.fixture
def installed() -> Iterator[Callable[[str, Any], None]]:
    """Installs a provider of somebody else for a signal; taken out at the end."""
    setters: dict[str, Callable[[Any], None]] = {
        "trace": otel_private.install_tracer_provider,
        "metrics": otel_private.install_meter_provider,
        "logs": otel_private.install_logger_provider,
    }
    made: list[tuple[str, Any]] = []

    def install(signal: str, provider: Any) -> None:
        setters[signal](provider)
        made.append((signal, provider))

    yield install
    for signal, provider in made:
        otel_private.mark_ended(signal, provider)
        provider.shutdown()


def span_name(exporter: InMemorySpanExporter) -> str:
    exporter.clear()
    with trace.get_tracer("shop").start_as_current_span(f"pay {CARD}") as span:
        span.set_attribute("card", CARD)
    [ended] = exporter.get_finished_spans()
    assert "4111" not in ended.to_json() or ended.name == f"pay {CARD}"
    return str(ended.name)


def test_a_processor_on_our_tracer_provider_is_covered_whenever_it_is_added(configure):
    telemetry = configure(redaction="scan", resource={"owner": CARD})
    exporter = InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    assert span_name(exporter) == "pay [REDACTED:pan]"
    [ended] = exporter.get_finished_spans()
    assert ended.resource.attributes["owner"] == "[REDACTED:pan]"


def test_without_scan_spans_lose_secret_names_only(configure):
    telemetry = configure()
    exporter = InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    with trace.get_tracer("shop").start_as_current_span("pay") as span:
        span.set_attributes({"api_key": "k", "card": CARD})
    [ended] = exporter.get_finished_spans()
    assert dict(ended.attributes or {}) == {"api_key": "[REDACTED:secret]", "card": CARD}


def test_spans_of_a_provider_that_was_there_are_covered_for_all_its_processors(installed, configure):
    before, after = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(before))
    installed("trace", provider)
    assert configure(redaction="scan").tracer_provider is provider
    provider.add_span_processor(SimpleSpanProcessor(after))
    assert [span_name(before), span_name(after)] == ["pay [REDACTED:pan]"] * 2


def test_a_provider_that_was_there_gets_one_processor_and_the_last_policy(installed, configure):
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    installed("trace", provider)
    names = []
    for mode in ("scan", "keys", "scan"):
        telemetry = configure(redaction=mode)
        names.append(span_name(exporter))
        telemetry.shutdown()
    assert names == ["pay [REDACTED:pan]", f"pay {CARD}", "pay [REDACTED:pan]"]
    assert len(provider._active_span_processor._span_processors) == 2


def test_readers_of_our_meter_provider_are_covered_and_those_of_one_that_was_there(installed, configure):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    installed("metrics", provider)
    configure(redaction="scan")
    metrics.get_meter("shop").create_counter("paid").add(1, {"card": CARD})
    collected = reader.get_metrics_data()
    assert collected is not None
    assert "4111" not in collected.to_json()
    assert '"card": "[REDACTED:pan]"' in collected.to_json()


def test_our_meter_provider_has_the_boundary(configure):
    assert isinstance(configure(redaction="scan").meter_provider, RedactingMeterProvider)


def test_records_of_a_logger_provider_that_was_there_are_covered_for_all_its_processors(installed, configure):
    before = InMemoryLogRecordExporter()
    provider = StockLoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(before))
    installed("logs", provider)
    configure(redaction="scan")
    _logs.get_logger("shop").emit(LogRecord(body=f"paid {CARD}", attributes={"card": CARD}))
    [record] = before.get_finished_logs()
    assert record.log_record.body == "paid [REDACTED:pan]"
    assert "4111" not in record.to_json()


def test_a_disabled_sdk_is_left_alone(installed, configure):
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    installed("trace", provider)
    configure(redaction="scan", disabled=True)
    assert span_name(exporter) == f"pay {CARD}"


def test_a_provider_that_takes_no_processor_is_said(installed, configure, capsys):
    class Vendors(trace.TracerProvider):
        def get_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
            return trace.NoOpTracer()

        def shutdown(self) -> None: ...

    installed("trace", Vendors())
    configure(redaction="scan")
    assert "Vendors was installed before and exports spans as they are" in capsys.readouterr().err
