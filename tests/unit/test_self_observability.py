"""The pipeline's own metrics, as any MeterProvider collects them."""

import gc
import time
from typing import Any

import grpc
import pytest
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import fapilog
from fapilog.exporters.base import ExportOutcome
from fapilog.own_metrics import METRICS
from fapilog.self_observability import observe
from fapilog.testing import OtlpReceiver
from fapilog.testing.answers import Ok, Status
from tests.servers.grpc_receiver import GrpcReceiver, Reply
from tests.unit.delivery.fakes import ScriptedExporter

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
        assert (1, {**component(receiver), "error.type": "400"}) in points(
            reader, "otel.sdk.exporter.log.exported"
        )


def exported_of(reader: InMemoryMetricReader) -> dict[Any, Any]:
    """Records whose export ended, by `error.type`; those without any left out."""
    seen = points(reader, "otel.sdk.exporter.log.exported")
    return {attributes.get("error.type"): count for count, attributes in seen if count}


@pytest.mark.parametrize(
    ("answer", "exported"),
    [
        (Status(400), {"400": 2}),
        (Status(500), {"500": 2}),
        (Ok(rejected=1), {None: 1, "rejected": 1}),
    ],
    ids=str,
)
def test_rejected_is_said_of_a_partial_success_alone_and_else_the_status(reader, meters, answer, exported):
    with OtlpReceiver() as receiver, provider_to(receiver) as provider:
        receiver.answer_with(answer)
        observe(provider, meters)
        for number in range(2):
            provider.get_logger("shop").emit(body=number)
        assert provider.force_flush(10_000)
        assert exported_of(reader) == exported


class Failing:
    """Does what it was made for."""

    name = "failing"

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    async def export_batch(self, batch: Any) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Refusing(InMemoryLogRecordExporter):
    """Of OpenTelemetry's interface."""

    def export(self, batch: Any) -> LogRecordExportResult:
        return LogRecordExportResult.FAILURE


@pytest.mark.parametrize(
    ("exporter", "error_type"),
    [
        (Failing(ValueError("a bug")), "ValueError"),
        (Failing(ExportOutcome(rejected=1)), "rejected"),
        (Failing(ExportOutcome(rejected=1, error_type="quota")), "quota"),
        (Failing("nonsense"), "_OTHER"),
        (Refusing(), "_OTHER"),
    ],
    ids=lambda each: getattr(each, "name", type(each).__name__),
)
def test_exporters_in_python_name_the_cause_too_and_how_long_they_took(reader, meters, exporter, error_type):
    loaded = fapilog.Settings.load(environ={})
    with fapilog.LoggerProvider(settings=loaded, exporters=[exporter]) as provider:
        observe(provider, meters)
        provider.get_logger("shop").emit(body="lost")
        assert provider.force_flush(10_000)
        assert exported_of(reader) == {error_type: 1}
        reader.collect()
        name = getattr(exporter, "name", "Refusing")
        wanted = {"otel.component.type": name, "otel.component.name": f"{name}/0", "error.type": error_type}
        assert points(reader, "otel.sdk.exporter.operation.duration") == [(1, wanted)]


def test_an_operation_lasts_over_all_its_attempts(reader, meters):
    retried = [ExportOutcome(retry=True, retry_after_millis=20)] * 2
    exporter = ScriptedExporter(*retried)
    exporter.retry = fapilog.settings.RetrySettings(initial_backoff_millis=1, max_backoff_millis=1)
    with fapilog.LoggerProvider(settings=fapilog.Settings.load(environ={}), exporters=[exporter]) as provider:
        provider.get_logger("shop").emit(body="kept")
        assert provider.force_flush(10_000)
        [operation] = provider.timings.operations.take("scripted")
        assert (operation.error_type, operation.seconds >= 0.04) == ("", True)


def test_operations_over_grpc_carry_the_status(reader, meters):
    with GrpcReceiver() as receiver:
        receiver.script(Reply(), Reply(grpc.StatusCode.INVALID_ARGUMENT, "no"))
        otlp = {"protocol": "grpc", "endpoint": receiver.endpoint}
        with fapilog.LoggerProvider(settings=fapilog.Settings.load(environ={}, otlp=otlp)) as provider:
            observe(provider, meters)
            for number in range(2):
                provider.get_logger("shop").emit(body=number)
                assert provider.force_flush(10_000)
            reader.collect()
            server = {
                "otel.component.type": "otlp_grpc_log_exporter",
                "otel.component.name": "otlp_grpc_log_exporter/0",
                "server.address": "127.0.0.1",
                "server.port": receiver.port,
            }
            refused = {"error.type": "INVALID_ARGUMENT", "rpc.response.status_code": "INVALID_ARGUMENT"}
            assert points(reader, "otel.sdk.exporter.operation.duration") == [
                (1, {**server, "rpc.response.status_code": "OK"}),
                (1, {**server, **refused}),
            ]
            assert exported_of(reader) == {None: 1, "INVALID_ARGUMENT": 1}


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


class Slow(LogRecordProcessor):
    """Takes its time, or raises."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def on_emit(self, log_record: Any) -> None:
        pause()
        if self.error is not None:
            raise self.error

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


PAUSE_SECONDS = 0.002


def pause() -> None:
    """Take some time, of which the least is known."""
    until = time.perf_counter() + PAUSE_SECONDS
    while time.perf_counter() < until:
        pass


def slow_user() -> dict[str, str]:
    pause()
    return {"user": "x"}


async def slow_pass(batch: Any) -> None:
    pause()


def test_plugins_and_stages_show_their_time(reader, meters):
    exporter = ScriptedExporter(always=PAUSE_SECONDS)
    processor, loaded = Slow(), fapilog.Settings.load(environ={})
    provider = fapilog.LoggerProvider(
        settings=loaded, exporters=[exporter], enrichers=[slow_user], batch_processors=[slow_pass]
    )
    with provider:
        observe(provider, meters)
        provider.add_log_record_processor(processor)
        provider.get_logger("shop").emit(body="taken")
        processor.error = ValueError("a bug")
        provider.get_logger("shop").emit(body="taken")
        assert provider.force_flush(10_000)
        named = {
            "enricher": "slow_user",
            "log_record_processor": "Slow",
            "batch_processor": "slow_pass",
            "exporter": "scripted",
        }
        plugins = [{"fapilog.plugin.kind": kind, "fapilog.plugin.name": name} for kind, name in named.items()]
        took = {point["fapilog.plugin.kind"]: spent for spent, point in points(reader, "fapilog.plugin.time")}
        assert took.keys() == named.keys()
        assert min(took.values()) >= PAUSE_SECONDS * 0.9
        calls = points(reader, "fapilog.plugin.calls")
        assert [plugin for plugin in plugins if (1, plugin) not in calls and (2, plugin) not in calls] == []
        failed = {"error.type": "exception"}
        assert [plugin for count, plugin in calls if "error.type" in plugin] == [plugins[1] | failed]
        stages = {point["fapilog.stage"]: spent for spent, point in points(reader, "fapilog.stage.time")}
        assert set(stages) == {"seal", "export"}
        assert (stages["seal"] > 0, stages["export"]) == (True, took["exporter"])


def test_native_stages_show_their_time(reader, meters):
    with OtlpReceiver() as receiver, provider_to(receiver) as provider:
        observe(provider, meters)
        provider.get_logger("shop").emit(body="taken")
        assert provider.force_flush(10_000)
        spent = {point["fapilog.stage"]: seconds for seconds, point in points(reader, "fapilog.stage.time")}
        assert set(spent) == {"seal", "export"}
        assert all(seconds > 0 for seconds in spent.values())


def test_a_processor_leaves_what_the_stock_provider_counts_to_it(monkeypatch, reader, meters):
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    stock = SdkLoggerProvider(meter_provider=meters, shutdown_on_exit=False)
    exporter = InMemoryLogRecordExporter()
    stock.add_log_record_processor(fapilog.FapilogLogRecordProcessor(exporter, meter_provider=meters))
    stock.get_logger("shop").emit(body="placed")
    assert stock.force_flush()
    data = reader.get_metrics_data()
    scopes = {
        scope.scope.name: {metric.name for metric in scope.metrics}
        for scope in data.resource_metrics[0].scope_metrics
    }
    stock.shutdown()
    assert scopes["opentelemetry-sdk"] == {"otel.sdk.log.created"}
    assert "otel.sdk.processor.log.processed" in scopes["fapilog"]
    assert "otel.sdk.log.created" not in scopes["fapilog"]


def test_instruments_are_created_with_the_units_that_the_table_lists(reader, meters, tmp_path):
    groups = {"buffer": {"max_queue_records": 100}, "flight_recorder": {"enabled": True}}
    groups["spool"] = {"directory": tmp_path}
    groups["redaction"] = {"mode": "scan"}
    with OtlpReceiver() as receiver, provider_to(receiver, **groups) as provider:
        observe(provider, meters)
        provider.timings.add("exporter", "x", 0.1)
        provider.get_logger("shop").emit(body="taken by ann@example.org")
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
