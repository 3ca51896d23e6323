"""What a running service hid: keys, types and counts, without values, bounded, and as a metric."""

import json

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from pydantic import SecretStr

import fapilog
from fapilog._native import Logger
from fapilog.otel.provider import LoggerProvider
from fapilog.redaction.inventory import MOST_PLACES
from fapilog.settings import Settings

CARD = "4111 1111 1111 1111"


def provider(exporters=("none",), **settings) -> LoggerProvider:
    loaded = Settings.load(environ={}, exporters=exporters, **settings)
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
        log.info("hello", **{"k" * 300: CARD})
        found = made.inventory()
        by_type = made.pipeline.exporter_stats()["findings"]
    assert len(found.entries) == MOST_PLACES
    assert found.elsewhere == {"EMAIL": 50, "PAN": 1}
    assert found.types() == by_type == {"EMAIL": MOST_PLACES + 50, "PAN": 1}
    assert str(found).splitlines()[-2:] == ["        50  elsewhere: EMAIL", "         1  elsewhere: PAN"]


NAMES = {
    ("order", ""): 1,
    ("user.name", ""): 1,
    ("user.tags.a", ""): 2,
    ("note", ""): 1,
    ("password", "SECRET_KEY"): 1,
    ("pin", "SECRET_KEY"): 1,
    ("url", "URL_USERINFO"): 1,
}


def log_names(made: LoggerProvider) -> None:
    user = {"name": "x", "tags": [{"a": 1}, {"a": 2}]}
    secrets = {"password": "hunter2", "pin": SecretStr("0000"), "url": "https://u:p@host/"}
    Logger(made.handle, "orders").info("hello", order=1, user=user, note=["a", "b"], **secrets)
    assert made.force_flush(10_000)


@pytest.mark.parametrize("redaction", ["keys", "scan"])
def test_with_the_setting_names_without_findings_and_secret_names_are_counted_too(redaction):
    with provider(exporters=("memory",), inventory=True, redaction=redaction) as made:
        log_names(made)
        found = made.inventory()
    assert places(found) == NAMES
    assert found.types() == {"SECRET_KEY": 2, "URL_USERINFO": 1}
    assert not any(value in json.dumps(found.plain()) for value in ("hunter2", "0000", "u:p"))


def test_a_name_in_which_something_is_found_is_shown_as_its_marker():
    with provider(exporters=("memory",), inventory=True, redaction="scan") as made:
        Logger(made.handle, "orders").info("hello", **{f"card {CARD}": 1, "mail": "to ann@example.org"})
        assert made.force_flush(10_000)
        found = made.inventory()
    assert places(found) == {("card [REDACTED:pan]", ""): 1, ("*", "PAN"): 1, ("mail", "EMAIL"): 1}


def test_names_are_counted_where_the_console_is_alone(capsys):
    with provider(exporters=("console",), inventory=True) as made:
        log_names(made)
        assert places(made.inventory()) == NAMES
    capsys.readouterr()


def test_without_the_setting_no_name_is_counted():
    with provider(exporters=("memory",)) as made:
        log_names(made)
        assert made.inventory().entries == ()


def test_names_are_bounded_and_the_others_counted_together():
    with provider(exporters=("memory",), inventory=True) as made:
        log = Logger(made.handle, "orders")
        for number in range(MOST_PLACES + 50):
            log.info("hello", **{f"key{number}": 1 if number % 2 else SecretStr("0000")})
        assert made.force_flush(10_000)
        found = made.inventory()
    assert (len(found.entries), found.elsewhere) == (MOST_PLACES, {"": 25, "SECRET_KEY": 25})
    assert found.types() == {"SECRET_KEY": (MOST_PLACES + 50) // 2}


def test_a_url_with_credentials_in_the_body_is_counted():
    with provider(exporters=("memory",), inventory=True) as made:
        Logger(made.handle, "orders").info("see https://u:p@host/")
        assert made.force_flush(10_000)
        assert places(made.inventory()) == {("body", "URL_USERINFO"): 1}


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
