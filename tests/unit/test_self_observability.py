"""The pipeline's own metrics, as any MeterProvider collects them."""

import gc
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import fapilog
from fapilog.own_metrics import METRICS
from fapilog.self_observability import observe
from fapilog.testing import OtlpReceiver
from fapilog.testing.answers import Status

PROCESSOR = {
    "otel.component.type": "fapilog.FapilogLogRecordProcessor",
    "otel.component.name": "fapilog.FapilogLogRecordProcessor/0",
}


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def meters(reader: InMemoryMetricReader) -> MeterProvider:
    return MeterProvider([reader], shutdown_on_exit=False)


def points(reader: InMemoryMetricReader, name: str) -> list[tuple[Any, dict[str, Any]]]:
    """Value (a histogram's count) and attributes of each data point of a metric that was recorded by now."""
    reader.collect()
    data = reader.get_metrics_data()
    metrics = [] if data is None else data.resource_metrics[0].scope_metrics[0].metrics
    found = [metric for metric in metrics if metric.name == name]
    return [
        (getattr(point, "value", getattr(point, "count", None)), dict(point.attributes))
        for metric in found
        for point in metric.data.data_points
    ]


def provider_to(receiver: OtlpReceiver, **settings: Any) -> fapilog.LoggerProvider:
    otlp = {
        "endpoint": receiver.logs_endpoint,
        "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 5},
    }
    loaded = fapilog.Settings.load(environ={}, otlp=otlp, capture_location="never", **settings)
    return fapilog.LoggerProvider(settings=loaded)


def component(receiver: OtlpReceiver) -> dict[str, Any]:
    port = int(receiver.endpoint.rpartition(":")[2])
    return {
        "otel.component.type": "otlp_http_log_exporter",
        "otel.component.name": "otlp_http_log_exporter/0",
        "server.address": "127.0.0.1",
        "server.port": port,
    }


def test_delivered_records_are_created_processed_and_exported_without_error_type(reader, meters):
    with OtlpReceiver() as receiver, provider_to(receiver) as provider:
        observe(provider, meters)
        for number in range(3):
            provider.get_logger("shop").emit(body=number)
        assert provider.force_flush(10_000)
        assert points(reader, "otel.sdk.log.created") == [(3, {})]
        assert (3, PROCESSOR) in points(reader, "otel.sdk.processor.log.processed")
        exported = points(reader, "otel.sdk.exporter.log.exported")
        assert exported == [
            (3, component(receiver)),
            (0, {**component(receiver), "error.type": "rejected"}),
        ]
        assert points(reader, "otel.sdk.processor.log.queue.size") == [(0, PROCESSOR)]


def test_records_that_a_receiver_refuses_are_exported_with_an_error_type(reader, meters):
    with OtlpReceiver() as receiver, provider_to(receiver) as provider:
        receiver.answer_with(Status(400))
        observe(provider, meters)
        provider.get_logger("shop").emit(body="refused")
        assert provider.force_flush(10_000)
        assert (1, {**component(receiver), "error.type": "rejected"}) in points(
            reader, "otel.sdk.exporter.log.exported"
        )


def test_the_duration_of_an_operation_carries_status_and_error_type(reader, meters):
    with OtlpReceiver() as receiver, provider_to(receiver) as provider:
        observe(provider, meters)
        provider.get_logger("shop").emit(body="taken")
        assert provider.force_flush(10_000)
        reader.collect()  # A histogram that is recorded while others are read shows at the next look.
        durations = points(reader, "otel.sdk.exporter.operation.duration")
        assert durations == [(1, {**component(receiver), "http.response.status_code": 200})]


def test_a_full_queue_is_an_error_type_of_the_processor(reader, meters):
    small = {"limit_bytes": 8_192, "chunk_bytes": 2_048, "record_bytes": 1_024, "overflow": "drop_newest"}
    loaded = fapilog.Settings.load(environ={}, buffer=small, otlp={"endpoint": "http://127.0.0.1:9/v1/logs"})
    with fapilog.LoggerProvider(settings=loaded) as provider:
        observe(provider, meters)
        for _ in range(200):
            provider.get_logger("shop").emit(body="x" * 200)
        ledger = provider.ledger()
        processed = points(reader, "otel.sdk.processor.log.processed")
        lost = sum(ledger.exporters["otlp"].dropped.values()) + ledger.refused["shed"]
        assert lost > 0
        assert (lost, {**PROCESSOR, "error.type": "queue_full"}) in processed
        provider.shutdown(0)


def test_plugins_and_stages_show_their_time(reader, meters):
    with OtlpReceiver() as receiver, provider_to(receiver) as provider:
        observe(provider, meters)
        provider.timings.add("enricher", "slow", 0.5)
        provider.timings.add("enricher", "slow", 0.25, failed=True)
        provider.get_logger("shop").emit(body="taken")
        assert provider.force_flush(10_000)
        slow = {"fapilog.plugin.kind": "enricher", "fapilog.plugin.name": "slow"}
        assert points(reader, "fapilog.plugin.time") == [(0.75, slow)]
        assert points(reader, "fapilog.plugin.calls") == [(1, slow), (1, {**slow, "error.type": "exception"})]
        spent = {point["fapilog.stage"]: seconds for seconds, point in points(reader, "fapilog.stage.time")}
        assert set(spent) == {"seal", "export"}
        assert all(seconds > 0 for seconds in spent.values())


def test_instruments_are_created_with_the_units_that_the_table_lists(reader, meters):
    with OtlpReceiver() as receiver, provider_to(receiver, buffer={"max_queue_records": 100}) as provider:
        observe(provider, meters)
        provider.timings.add("exporter", "x", 0.1)
        provider.get_logger("shop").emit(body="taken")
        assert provider.force_flush(10_000)
        reader.collect()
        seen = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        assert {(metric.name, metric.unit) for metric in seen} == {
            (metric.name, metric.unit) for metric in METRICS
        }


def test_a_provider_is_not_kept_alive_by_its_observer(reader, meters):
    provider = fapilog.LoggerProvider(exporters=["none"])
    observe(provider, meters)
    provider.shutdown()
    del provider
    gc.collect()
    assert points(reader, "otel.sdk.log.created") == []


def test_several_pipelines_share_a_meter_provider(reader, meters):
    providers = [fapilog.LoggerProvider(exporters=["none"]) for _ in range(2)]
    for provider in (*providers, providers[0]):
        observe(provider, meters)
    for index in (0, 1, 1):
        providers[index].get_logger("shop").emit(body="x")

    def created_and_waiting() -> tuple[object, list[str]]:
        waiting = points(reader, "otel.sdk.processor.log.queue.size")
        names = [attributes["otel.component.name"].rpartition("/")[2] for _, attributes in waiting]
        return points(reader, "otel.sdk.log.created"), names

    assert created_and_waiting() == ([(3, {})], ["0", "1"])
    providers.pop().shutdown()
    del provider
    gc.collect()
    assert created_and_waiting() == ([(3, {})], ["0"])


def test_configure_otel_observes_on_request(monkeypatch, reader, meters):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setattr("fapilog.otel.signals.meter_provider", lambda *_: (meters, False))
    with fapilog.configure_otel(exporters=["none"], self_observability=True):
        fapilog.get_logger("shop").info("counted")
        assert points(reader, "otel.sdk.log.created") == [(1, {})]
