"""The pipeline's own metrics are the ledger: every term and reason, while records flow and at the end."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum

from fapilog.own_metrics import METRICS
from fapilog.self_observability import observe
from tests.integration.beside import wait_until
from tests.integration.losses import LOSSES, PATIENCE_MILLIS, Lines, World, shutdown

Series = tuple[str, frozenset[tuple[str, Any]]]
MONOTONIC = {
    metric.name: metric.instrument == "counter" for metric in METRICS if metric.instrument != "histogram"
}
# What of the ledger means that the queue had no room, which the conventions say of the processor.
NO_ROOM = ("overflow_oldest", "overflow_newest", "wait_timeout", "not_awaited")


class Metrics:
    """Collects all the while, and looks whether a counter falls or anything is below zero."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.faults: list[object] = []
        self._thread.start()

    def now(self) -> dict[Series, float]:
        """The value of each series of a sum."""
        data = self._reader.get_metrics_data()
        scopes = (
            [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        )
        metrics = [metric for scope in scopes for metric in scope.metrics if isinstance(metric.data, Sum)]
        assert all(metric.data.is_monotonic == MONOTONIC[metric.name] for metric in metrics)
        return {
            (metric.name, frozenset((point.attributes or {}).items())): point.value
            for metric in metrics
            for point in metric.data.data_points
        }

    def _watch(self) -> None:
        before: dict[Series, float] = {}
        while not self._stop.wait(0.001):
            now = self.now()
            self.faults += [series for series, value in now.items() if value < 0]
            fallen = [
                series for series in before if MONOTONIC[series[0]] and now.get(series, 0) < before[series]
            ]
            self.faults += fallen
            before = now

    def end(self) -> dict[Series, float]:
        """Stop watching; the last values."""
        self._stop.set()
        self._thread.join(30)
        return self.now()


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    found = Metrics()
    yield found
    found.end()
    found.meters.shutdown()


def named(values: dict[Series, float], name: str, *keys: str) -> dict[tuple[Any, ...], float]:
    """The values of a metric by these attributes, summed over the others; zeros left out."""
    found: dict[tuple[Any, ...], float] = {}
    for (metric, attributes), value in values.items():
        if metric == name and value:
            key = tuple(dict(attributes).get(each) for each in keys)
            found[key] = found.get(key, 0) + value
    return found


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: str(lose.__name__))
def test_every_term_and_reason_of_the_ledger_is_a_metric_at_every_moment(
    metrics: Metrics, tmp_path: Path, lose: Callable[[World], None]
) -> None:
    world = World(tmp_path, lambda provider: observe(provider, metrics.meters))
    lose(world)
    world.made[0].shutdown(0 if lose is shutdown else PATIENCE_MILLIS)
    world.end()
    values, ledger = metrics.end(), world.made[0].ledger()
    assert metrics.faults == []

    refused = {(reason,): records for reason, records in ledger.refused.items() if records}
    sides = ledger.exporters.items()
    dropped = {
        (name, reason): records for name, side in sides for reason, records in side.dropped.items() if records
    }
    assert named(values, "fapilog.records.refused", "fapilog.reason") == refused
    assert named(values, "fapilog.records.dropped", "fapilog.exporter", "fapilog.reason") == dropped
    assert named(values, "fapilog.records.pending", "fapilog.exporter") == {
        (name,): side.pending for name, side in sides if side.pending
    }
    assert named(values, "otel.sdk.log.created") == {(): ledger.accepted + sum(ledger.refused.values())}

    exported = named(values, "otel.sdk.exporter.log.exported", "otel.component.type", "error.type")
    acknowledged = {(name, None): side.delivered for name, side in sides if side.delivered}
    assert {key: records for key, records in exported.items() if key[1] is None} == acknowledged
    for name, side in sides:
        lost = sum(records for reason, records in side.dropped.items() if reason not in NO_ROOM)
        failed = sum(records for (kind, error), records in exported.items() if kind == name and error)
        assert failed == side.rejected + lost


def test_adopted_and_spooled_records_are_metrics_of_who_has_them(metrics: Metrics, tmp_path: Path) -> None:
    world = World(tmp_path, lambda provider: observe(provider, metrics.meters))
    spool = {"directory": tmp_path / "spool", "min_free_bytes": 0}
    left = world.provider(Lines(otherwise="away"), instance="ended", spool=spool)
    world.log(left, *"abcde")
    assert not left.shutdown(1)
    assert named(metrics.now(), "fapilog.spool.records", "fapilog.exporter") == {("lines",): 5}
    out = Lines()
    heir = world.provider(out, instance="heir", spool=spool)
    world.log(heir, "x")
    wait_until(lambda: len(out.bodies) == 6 and not heir.ledger().exporters["lines"].pending)
    world.end()
    values = metrics.end()
    assert named(values, "fapilog.spool.adopted") == {(): 5}
    processed = named(values, "otel.sdk.processor.log.processed", "otel.component.name")
    assert processed == {("fapilog.FapilogLogRecordProcessor/1",): 6}
    assert metrics.faults == []
