"""What a running service hid: keys, types and counts, without values, bounded, and as a metric."""

import json

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import fapilog
from fapilog._native import Logger
from fapilog.otel.provider import LoggerProvider
from fapilog.redaction.inventory import MOST_PLACES
from fapilog.settings import Settings

CARD = "4111 1111 1111 1111"


def provider(**settings) -> LoggerProvider:
    loaded = Settings.load(environ={}, exporters=("none",), **settings)
    return LoggerProvider(settings=loaded, shutdown_on_exit=False)


def places(found) -> dict:
    return {(entry.path, entry.type): entry.count for entry in found.entries}


def test_places_and_types_are_counted_and_no_value_is_kept():
    with provider(redaction="scan") as made:
        log = Logger(made.handle, "orders")
        for _ in range(3):
            log.info(f"paid with {CARD}", customer={"email": "ann@example.org"}, order=42)
        log.info("hello", **{f"card {CARD}": "ann@example.org"})
        found = made.inventory()
    counts = places(found)
    assert counts[("body", "PAN")] == 3
    assert counts[("customer.email", "EMAIL")] == 3
    assert counts[("*", "EMAIL")] == 1
    assert set(found.types()) == {"PAN", "EMAIL"}
    assert not any(value in json.dumps(found.plain()) for value in ("4111", "ann@"))


def test_nothing_is_counted_where_nothing_is_looked_for():
    with provider(redaction="keys") as made:
        Logger(made.handle, "orders").info(f"paid with {CARD}", password="x")
        assert made.inventory().plain() == {"records": None, "types": {}, "entries": [], "elsewhere": {}}


def test_places_are_bounded_and_types_are_not_lost():
    with provider(redaction="scan") as made:
        log = Logger(made.handle, "orders")
        for number in range(MOST_PLACES + 50):
            log.info("hello", **{f"key{number}": "ann@example.org"})
        found = made.inventory()
        by_type = made.pipeline.exporter_stats()["findings"]
    assert len(found.entries) == MOST_PLACES
    assert sum(found.elsewhere.values()) == 50
    assert by_type == {"EMAIL": MOST_PLACES + 50}


def test_two_pipelines_do_not_share_their_counts():
    with provider(redaction="scan") as one, provider(redaction="scan") as other:
        Logger(one.handle, "a").info(CARD)
        assert (one.inventory().types(), other.inventory().types()) == ({"PAN": 1}, {})


def test_a_metric_counts_by_type():
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    loaded = Settings.load(environ={}, exporters=("none",), redaction="scan", self_observability=True)
    with LoggerProvider(settings=loaded, shutdown_on_exit=False, meter_provider=meters) as made:
        Logger(made.handle, "orders").info(f"paid with {CARD}")
        data = reader.get_metrics_data()
    metrics = [each for scope in data.resource_metrics[0].scope_metrics for each in scope.metrics]
    [found] = [each for each in metrics if each.name == "fapilog.redaction.findings"]
    points = [(dict(point.attributes), point.value) for point in found.data.data_points]
    assert points == [({"fapilog.redaction.type": "PAN"}, 1)]


def test_telemetry_gives_the_inventory_of_the_process():
    settings = Settings.load(environ={}, exporters=("none",), redaction="scan")
    with fapilog.configure_otel(settings=settings) as telemetry:
        fapilog.get_logger("orders").info(CARD)
        assert telemetry.inventory().types() == {"PAN": 1}
