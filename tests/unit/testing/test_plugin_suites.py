"""The suites for detectors and log record processors fail where they should; costs are what a clock says."""

import itertools

import pytest
from opentelemetry.sdk._logs import LogRecordProcessor

from fapilog.testing import (
    DetectorConformance,
    LogRecordProcessorConformance,
    PluginCost,
    measure_plugin,
)


class Region(LogRecordProcessor):
    def on_emit(self, log_record):
        log_record.log_record.attributes["region"] = "eu"

    def shutdown(self):
        """Nothing to end."""

    def force_flush(self, timeout_millis=30_000):
        return True


class Raising(Region):
    def on_emit(self, log_record):
        raise ValueError


class TestRegion(LogRecordProcessorConformance):
    def make_processor(self):
        return Region()


def test_a_processor_that_raises_fails_the_suite():
    class Suite(LogRecordProcessorConformance):
        def make_processor(self):
            return Raising()

    with pytest.raises(AssertionError, match="9 calls raised"):
        Suite().test_it_takes_records_of_every_shape()


class TestTickets(DetectorConformance):
    hidden = ("see TCK-123456",)
    kept = ("see TCK-12",)

    def make_detector(self):
        return {"ticket": {"pattern": "TCK-[0-9]{6}"}}


def test_a_detector_that_hides_too_little_or_too_much_fails_the_suite():
    class Suite(DetectorConformance):
        hidden = ("see TCK-12",)
        kept = ("see TCK-123456",)

        def make_detector(self):
            return {"ticket": {"pattern": "TCK-[0-9]{6}"}}

    for test in (Suite().test_what_it_describes_is_hidden, Suite().test_what_it_does_not_describe_stays):
        with pytest.raises(AssertionError):
            test()


def test_the_cost_of_a_plugin_is_what_the_clock_says():
    ticks = itertools.count(0.0, 0.001)
    cost = measure_plugin("enricher", dict, calls=100, clock=lambda: next(ticks))
    assert cost == PluginCost(100, 1, pytest.approx(1_000), pytest.approx(1_000))
    assert str(cost) == "1,000.0 us a call, 99 of 100 below 1,000.0 us; 1,000 records/s (1 records a call)"


def test_batch_processors_and_exporters_are_called_with_batches():
    sizes = []

    async def process(batch):
        sizes.append(len(batch))

    class Exporter:
        name = "counting"

        async def export_batch(self, batch):
            sizes.append(len(batch))

    for kind, made in (("processor", process), ("exporter", Exporter())):
        assert measure_plugin(kind, made, calls=2, records=5).calls == 2
    assert sizes == [5] * 10


def test_what_cannot_be_called_is_an_error():
    with pytest.raises(ValueError, match="there is nothing to call"):
        measure_plugin("processor", Region())
