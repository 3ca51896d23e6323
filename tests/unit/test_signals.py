"""Traces and metrics leave through the stock exporters, which are quiet when nobody listens."""

import logging
import os
import subprocess
import sys
from importlib import import_module
from urllib.request import urlopen

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource

from fapilog import diagnostics
from fapilog.errors import ConfigurationError, MissingDependencyError
from fapilog.otel import signals
from fapilog.testing import OtlpReceiver
from fapilog.testing.decoding import decompress
from tests.servers.ports import free_ports
from tests.unit.distributions import install


def received(receiver: OtlpReceiver, path: str, message):
    """Answer the decoded requests that came to a path."""
    return [
        message.FromString(decompress(request.body, request.headers.get("content-encoding", "")))
        for request in receiver.requests
        if request.path == path
    ]


def record_one_of_each(configured) -> None:
    """One span, one measurement, one log record; all flushed."""
    configured.tracer_provider.get_tracer("t").start_span("place order").end()
    configured.meter_provider.get_meter("m").create_counter("orders").add(1)
    configured.logger_provider.get_logger("l").emit(body="order placed")
    assert configured.force_flush(10_000)


def test_spans_measurements_and_records_reach_one_receiver_with_one_resource(configure, monkeypatch):
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        configured = configure("orders", exporters=["otlp"])
        record_one_of_each(configured)
        configured.shutdown()
        traces = received(receiver, "/v1/traces", ExportTraceServiceRequest)
        measured = received(receiver, "/v1/metrics", ExportMetricsServiceRequest)
        [log] = receiver.log_records
    resource_spans = traces[0].resource_spans[0]
    resource_metrics = measured[0].resource_metrics[0]
    assert resource_spans.scope_spans[0].spans[0].name == "place order"
    assert resource_metrics.scope_metrics[0].metrics[0].name == "orders"
    assert resource_spans.resource == resource_metrics.resource
    names = {pair.key: pair.value.string_value for pair in resource_spans.resource.attributes}
    assert names == log.resource
    assert names["service.name"] == "orders"


@pytest.mark.parametrize("exporters", [["none"], ["console"]])
def test_without_otlp_for_logs_spans_and_measurements_are_not_sent_either(configure, monkeypatch, exporters):
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        configured = configure(exporters=exporters)
        record_one_of_each(configured)
        configured.shutdown()
        assert receiver.requests == []


def test_their_own_variables_decide(configure, monkeypatch):
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
        configured = configure(exporters=["none"])
        record_one_of_each(configured)
        configured.shutdown()
        assert [request.path for request in receiver.requests] == ["/v1/traces"]


def test_console_prints_spans_and_measurements():
    script = (
        "import fapilog\n"
        "from opentelemetry import metrics, trace\n"
        "with fapilog.configure_otel(exporters=['none']):\n"
        "    trace.get_tracer('t').start_span('place order').end()\n"
        "    metrics.get_meter('m').create_counter('orders').add(1)\n"
    )
    environ = {**os.environ, "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"}
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environ, timeout=60, check=True
    )
    assert '"name": "place order"' in child.stdout
    assert '"name": "orders"' in child.stdout


@pytest.mark.parametrize(
    ("value", "otlp", "names"),
    [
        ("", True, ["otlp"]),
        ("", False, []),
        ("none", True, []),
        ("otlp", False, ["otlp"]),
        (" OTLP , Console ", False, ["otlp", "console"]),
        ("console,none", True, []),
        ("zipkin", True, ["otlp"]),
    ],
)
def test_a_variable_names_exporters(monkeypatch, value, otlp, names):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", value)
    assert signals.exporters("OTEL_TRACES_EXPORTER", otlp=otlp) == names


def test_an_unknown_exporter_is_said_and_ignored(monkeypatch, capsys):
    diagnostics._voice.forget()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    assert signals.exporters("OTEL_TRACES_EXPORTER", otlp=False) == []
    said = (
        "fapilog: OTEL_TRACES_EXPORTER names 'zipkin'; known are otlp, console, none, otlp_proto_grpc,"
        " otlp_proto_http [variable-ignored]\n"
    )
    assert capsys.readouterr().err == said


CODE = """
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class Spans(InMemorySpanExporter):
        made = []

        def __init__(self):
            super().__init__()
            self.made.append(self)

    def broken():
        raise OSError("port taken")
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package with exporters of spans for OpenTelemetry's SDK; its module."""
    points = {"acme": "acme_spans:Spans", "acme_broken": "acme_spans:broken"}
    install(tmp_path, "acme-spans", {"opentelemetry_traces_exporter": points}, CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    yield import_module("acme_spans")
    del sys.modules["acme_spans"]


def test_exporters_that_packages_register_for_the_sdk_work_by_name(configure, acme, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "acme,acme")
    configured = configure()
    record_one_of_each(configured)
    [exporter] = acme.Spans.made
    assert [span.name for span in exporter.get_finished_spans()] == ["place order"]


def test_an_installed_exporter_that_cannot_be_made_is_an_error_that_names_it(configure, acme, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "acme_broken")
    with pytest.raises(ConfigurationError) as caught:
        configure()
    what = "the exporter acme_broken (acme_spans:broken) cannot be made: OSError: port taken"
    assert (caught.value.code, caught.value.what) == ("exporter-invalid", what)
    assert caught.value.settings[0].origin == "OTEL_TRACES_EXPORTER"


def test_prometheus_scrapes_measurements_also_of_a_second_provider(configure, monkeypatch):
    [port] = free_ports(1)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
    for name in ("first", "second"):
        configured = configure()
        configured.meter_provider.get_meter("m").create_counter(name).add(1)
        with urlopen(f"http://localhost:{port}/metrics", timeout=30) as answer:
            scraped = answer.read().decode()
        assert [line for line in scraped.splitlines() if line.startswith(f"{name}_total")], scraped
        configured.shutdown()


@pytest.mark.parametrize(
    ("environ", "module"),
    [
        ({}, "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": " GRPC "}, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        ),
    ],
)
def test_the_protocol_is_http_unless_told_otherwise(monkeypatch, environ, module):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    exporter = signals._span_exporter("otlp")
    assert type(exporter).__module__.startswith(module)
    exporter.shutdown()


@pytest.mark.parametrize("make", [signals._span_exporter, signals._metric_exporter])
def test_a_missing_exporter_package_is_named(monkeypatch, make):
    for module in ("trace_exporter", "metric_exporter"):
        monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.proto.http.{module}", None)
    with pytest.raises(MissingDependencyError) as caught:
        make("otlp")
    assert caught.value.package == "opentelemetry-exporter-otlp"


class Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def test_stock_exporters_speak_once_a_minute_in_one_line_and_nowhere_else(capsys, monkeypatch):
    diagnostics._voice.forget()
    put_back = [signals.quiet_exporters(), signals.quiet_exporters()]
    for name in signals._NOISY_LOGGERS:  # pytest adds its own handlers to loggers that do not propagate
        noisy = logging.getLogger(name)
        ours = [handler for handler in noisy.handlers if isinstance(handler, signals._OncePerMinute)]
        assert len(ours) == 1
        monkeypatch.setattr(noisy, "handlers", ours)
    root = Kept()
    monkeypatch.setattr(logging.root, "handlers", [root])
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    for _ in range(3):
        logger.error("cannot reach %s\nTraceback ...", "the collector")
    logging.getLogger("opentelemetry.sdk.metrics").warning("%d", "not a number")
    logging.getLogger("opentelemetry.sdk.trace").warning("")
    logger.info("not worth a line")
    assert root.records == []
    assert capsys.readouterr().err == (
        "fapilog: trace_exporter: cannot reach the collector [stock-exporter]\n"
        "fapilog: metrics: %d [stock-exporter]\n"
        "fapilog: trace: opentelemetry.sdk.trace [stock-exporter]\n"
    )
    monkeypatch.undo()
    for step in put_back:
        step()


def test_an_unreachable_collector_is_said_in_one_line(configure, monkeypatch, capsys):
    with OtlpReceiver() as receiver:
        receiver.refuse_connections()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
        configured = configure()
        configured.tracer_provider.get_tracer("t").start_span("s").end()
        configured.force_flush(5_000)
        configured.shutdown()
    said = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("fapilog: trace_exporter: ") for line in said) == 1
    assert all(line.startswith("fapilog: ") and line.endswith("[stock-exporter]") for line in said)


def test_a_provider_of_ours_has_the_resource_it_is_given(configure):
    configured = configure("orders", resource={"team": "a"})
    assert isinstance(configured.tracer_provider.resource, Resource)
    assert configured.tracer_provider.resource.attributes["team"] == "a"
