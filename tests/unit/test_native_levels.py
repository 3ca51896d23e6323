"""Which records of the native `Logger` are kept: level, rules by name, changes at run time, the ledger."""

import pytest

from fapilog import Ledger, Logger
from fapilog._native import BoundAttributes, Pipeline, PipelineHandle
from fapilog.ledger import WANTED_REFUSALS, ExporterLedger
from tests.unit.recording import Recorder

METHODS = ("trace", "debug", "info", "audit", "warning", "security", "error", "critical")


def kept(recorder: Recorder, name: str) -> list[object]:
    """Answer the bodies that come through when one logger logs at every level."""
    recorder.records.clear()
    log = recorder.logger(name)
    for method in METHODS:
        getattr(log, method)(method)
    return [record.body for record in recorder.records]


def test_records_below_the_level_are_filtered():
    with Recorder(level="warning") as recorder:
        assert kept(recorder, "shop") == ["warning", "security", "error", "critical"]


def test_the_longest_dotted_prefix_decides():
    rules = {"shop": "error", "shop.orders": "info", "shop.orders.noisy": "critical"}
    with Recorder(level="warning", levels=rules) as recorder:
        counts = {
            name: len(kept(recorder, name))
            for name in (
                "shop",
                "shop.x",
                "shop.orders",
                "shop.orders.a.b",
                "shop.orders.noisy",
                "shopping",
                "",
            )
        }
    assert counts == {
        "shop": 2,
        "shop.x": 2,
        "shop.orders": 6,
        "shop.orders.a.b": 6,
        "shop.orders.noisy": 1,
        "shopping": 4,
        "": 4,
    }


def test_levels_change_at_run_time_for_loggers_that_exist():
    with Recorder(level="warning") as recorder:
        log = recorder.logger("shop.orders")
        log.info("before")
        recorder.provider.pipeline.set_levels(9, [("shop", 13)])
        log.info("ruled out")
        recorder.provider.pipeline.set_levels(17, [("shop.orders", 9)])
        log.info("ruled in")
        assert [record.body for record in recorder.records] == ["ruled in"]


def test_is_enabled_for_answers_as_the_calls_would():
    with Recorder(level="info", levels={"noisy": "error"}) as recorder:
        answers = {
            name: [number for number in range(1, 25) if recorder.logger(name).is_enabled_for(number)]
            for name in ("shop", "noisy")
        }
    assert answers == {"shop": list(range(9, 25)), "noisy": list(range(17, 25))}


@pytest.mark.parametrize("severity", [-1, 256])
def test_is_enabled_for_does_not_raise_for_numbers_out_of_range(severity):
    with Recorder() as recorder:
        assert isinstance(recorder.logger().is_enabled_for(severity), bool)


def test_an_unspecified_severity_passes_every_level():
    with Recorder(level="fatal4") as recorder:
        recorder.logger().emit_record(body="unspecified")
        assert recorder.only.body == "unspecified"


def test_every_call_is_in_the_ledger():
    with Recorder(level="info") as recorder:
        log = recorder.logger()
        for method in ("debug", "info", "error"):
            getattr(log, method)("x")
        log.emit(object())  # type: ignore[arg-type]  # not an event: counted, not raised
        recorder.provider.shutdown()
        log.info("too late")
        reasons = ("shed", "shut_down", "capture_failed", *WANTED_REFUSALS)
        assert recorder.provider.ledger() == Ledger(
            offered=5,
            filtered=1,
            refused=dict.fromkeys(reasons, 0) | {"shut_down": 1, "capture_failed": 1},
            accepted=2,
            adopted=0,
            exporters={},
        )
        assert recorder.provider.ledger().balanced


def test_after_shutdown_nothing_reaches_taps():
    recorder = Recorder()
    log = recorder.logger()
    recorder.provider.shutdown()
    log.critical("too late")
    assert recorder.records == []


def test_after_shutdown_nothing_is_enabled():
    recorder = Recorder()
    log = recorder.logger()
    recorder.provider.shutdown()
    assert not log.is_enabled_for(24)


def test_a_logger_without_a_pipeline_logs_nothing_until_it_gets_one():
    with Recorder() as recorder:
        handle = PipelineHandle()
        log = Logger(handle, "shop")
        log.info("lost")
        enabled_before, pipeline_before = log.is_enabled_for(24), handle.pipeline
        handle.attach(recorder.provider.pipeline)
        log.info("kept")
        assert (enabled_before, pipeline_before) == (False, None)
        assert handle.pipeline is recorder.provider.pipeline
        assert [record.body for record in recorder.records] == ["kept"]


def test_a_removed_tap_is_not_called_and_a_tap_that_raises_harms_nobody():
    def broken(record: bytes, scope: str) -> None:
        raise ValueError(scope)

    with Recorder() as recorder:
        pipeline, calls = recorder.provider.pipeline, []
        tap = calls.append
        pipeline.add_tap(broken)
        pipeline.remove_tap(tap)
        recorder.logger().info("first")
        pipeline.remove_tap(broken)
        recorder.logger().info("second")
        pipeline.remove_tap(recorder._tap)  # a bound method is another object each time it is read
        recorder.logger().info("third")
        assert [record.body for record in recorder.records] == ["first", "second"]


def test_the_clock_can_be_given_back():
    with Recorder() as recorder:
        recorder.provider.pipeline.fix_clock(0)
        recorder.logger().info("now")
        assert recorder.only.time_unix_nano > 1_700_000_000_123_456_789


def test_a_pipeline_names_the_setting_that_is_missing():
    with pytest.raises(KeyError, match="capture"):
        Pipeline({})


def test_bound_attributes_can_be_read_back():
    inner = BoundAttributes({"b": 2}, BoundAttributes({"a": 1, "b": 1}))
    assert (inner.attributes, repr(inner)) == ({"a": 1, "b": 2}, "BoundAttributes(2 keys)")


def test_an_exporter_of_the_console_has_its_side_in_the_ledger(capsys):
    with Recorder(exporters=("console",)) as recorder:
        recorder.logger().info("x")
        assert recorder.provider.ledger().exporters == {"console": ExporterLedger(1, 1, 0, {}, 0)}
    assert "x" in capsys.readouterr().err
