"""Calls of an exporter in Python follow its destination, in virtual time."""

import itertools

import pytest

from fapilog.exporters.base import ExportOutcome
from tests.unit.delivery.fakes import FakePipeline, ScriptedExporter, blocks
from tests.unit.delivery.test_runner import Scene


@pytest.mark.parametrize("adaptive", [True, False])
def test_calls_keep_a_distance_after_the_destination_asked_for_pauses(adaptive: bool):
    busy = ExportOutcome(retry=True, retry_after_millis=0)
    exporter = ScriptedExporter(busy, busy, busy)
    retry = {"initial_backoff_millis": 1, "max_backoff_millis": 1}
    Scene(exporter, pipeline := FakePipeline(blocks(*[1] * 5)), adaptive=adaptive, retry=retry).run()
    assert pipeline.delivered == 5
    gaps = [after - before for before, after in itertools.pairwise(exporter.times[-4:])]
    assert (min(gaps) >= 0.01) if adaptive else (max(gaps) < 0.01)


@pytest.mark.parametrize("adaptive", [True, False])
def test_fewer_calls_are_under_way_after_the_destination_asked_for_pauses(adaptive: bool):
    busy = ExportOutcome(retry=True, retry_after_millis=1_000)
    exporter = ScriptedExporter(*[busy] * 8, always=0.5)
    exporter.max_in_flight = 4
    Scene(exporter, pipeline := FakePipeline(blocks(*[1] * 12)), adaptive=adaptive).run()
    assert pipeline.delivered == 12
    assert (exporter.most_running < 4) if adaptive else (exporter.most_running == 4)
