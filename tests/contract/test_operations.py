"""The dashboard and the alert rules name only metrics that fapilog emits, as Prometheus shows them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest

import fapilog
from fapilog.own_metrics import METRICS
from fapilog.self_observability import observe
from fapilog.testing import OtlpReceiver

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations"


def expressions() -> list[str]:
    """Every PromQL expression of the dashboard and of the alerts."""
    dashboard = json.loads((OPERATIONS / "grafana_dashboard.json").read_text(encoding="utf-8"))
    alerts = yaml.safe_load((OPERATIONS / "prometheus_alerts.yaml").read_text(encoding="utf-8"))
    drawn = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [*drawn, *(rule["expr"] for group in alerts["groups"] for rule in group["rules"])]


def names(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    outside_of_labels = re.sub(r"\{[^}]*\}|by \([^)]*\)", " ", expression)
    return set(re.findall(r"\b(?:otel_sdk|fapilog)_[a-z_]+", outside_of_labels))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Name and labels of each series, as a Prometheus server scrapes them from a pipeline that was used."""
    reader = PrometheusMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with OtlpReceiver() as receiver:
        otlp = {"endpoint": receiver.logs_endpoint}
        bounded, recorder = {"max_queue_records": 100}, {"enabled": True}
        groups = {"flight_recorder": recorder, "spool": {"directory": tmp_path_factory.mktemp("spool")}}
        settings = fapilog.Settings.load(environ={}, otlp=otlp, buffer=bounded, redaction="scan", **groups)
        with fapilog.LoggerProvider(settings=settings) as provider:
            observe(provider, meters)
            provider.timings.add("exporter", "x", 0.1, failed=True)
            provider.get_logger("shop").emit(body="taken by ann@example.org")
            assert provider.force_flush(10_000)
            generate_latest(REGISTRY)
            text = generate_latest(REGISTRY).decode()
    meters.shutdown()
    series: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", text, re.MULTILINE):
        series.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return series


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_reads_only_metrics_and_labels_that_exist(exported, expression):
    read = names(expression)
    assert read, expression
    assert read - set(exported) == set()
    labels = set(re.findall(r"(\w+)(?:=~|!=|=)\"", expression)) - {"job"}
    known = {label for name in read for label in exported[name]}
    assert labels - known == set()


def test_every_metric_reaches_prometheus(exported):
    missing = [
        metric.name
        for metric in METRICS
        if not any(name.startswith(metric.name.replace(".", "_")) for name in exported)
    ]
    assert missing == []


def test_the_page_lists_every_metric_with_its_unit():
    page = (OPERATIONS / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| `([^`]+)` \|", page, re.MULTILINE)
    assert rows == [(metric.name, metric.instrument, metric.unit) for metric in METRICS]
