"""Exporters that records do not wait for: neither memory nor a flush, nor a caller, nor the disk."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver

LIMIT_BYTES = 1 << 20
PATIENCE_SECONDS = 30.0
PADDING = "x" * 500

Make = Callable[..., LoggerProvider]


class Taking:
    """Takes everything at once."""

    name = "taking"

    def __init__(self) -> None:
        self.records = 0

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        self.records += len(batch)
        return ExportOutcome(delivered=len(batch))


class Hanging:
    """Never answers, and does not end when it is asked to."""

    name = "hanging"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        await asyncio.Event().wait()
        raise AssertionError

    async def force_flush(self, timeout_millis: int) -> bool:
        await asyncio.Event().wait()
        raise AssertionError

    async def shutdown(self, timeout_millis: int) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LoggerProvider] = []

    def provider(*exporters: Any, best_effort: Any = ("hanging",), **settings: Any) -> LoggerProvider:
        buffer = {
            "limit_bytes": LIMIT_BYTES,
            "chunk_bytes": 1 << 15,
            "record_bytes": 1 << 14,
            "schedule_delay_millis": 5,
            "overflow": "wait",
            "wait_timeout_millis": 60_000,
            **settings.pop("buffer", {}),
        }
        loaded = Settings.load(
            environ={}, buffer=buffer, delivery={"best_effort": best_effort}, level="trace", **settings
        )
        made.append(LoggerProvider(settings=loaded, exporters=exporters))
        return made[-1]

    yield provider
    for each in made:
        each.shutdown()
        assert each.ledger().balanced, str(each.ledger())


def log(provider: LoggerProvider, records: int) -> None:
    logger = provider.get_logger("shop")
    for number in range(records):
        logger.emit(body=str(number), attributes={"padding": PADDING, "random": str(hash((number, "x")))})


def sides(provider: LoggerProvider) -> dict[str, tuple[int, dict[str, int], int]]:
    """Delivered, dropped and pending of each exporter."""
    found = provider.ledger().exporters.items()
    dropped = {name: {reason: n for reason, n in side.dropped.items() if n} for name, side in found}
    return {name: (side.delivered, dropped[name], side.pending) for name, side in found}


def test_a_hanging_best_effort_exporter_costs_the_others_neither_records_nor_time(make: Make) -> None:
    taking = Taking()
    provider = make(taking, Hanging())
    log(provider, 4_000)
    assert provider.force_flush(10_000)
    delivered, dropped, pending = sides(provider)["hanging"]
    assert (taking.records, sides(provider)["taking"]) == (4_000, (4_000, {}, 0))
    assert delivered == 0
    assert sum(dropped.values()) + pending == 4_000
    assert set(dropped) <= {"best_effort"}
    assert provider.shutdown(10_000)
    assert sides(provider) == {"taking": (4_000, {}, 0), "hanging": (0, {"best_effort": 4_000}, 0)}


def test_a_best_effort_exporter_that_keeps_up_gets_everything(make: Make) -> None:
    taking, receiving = Taking(), Taking()
    taking.name, receiving.name = "required", "best"
    provider = make(taking, receiving, best_effort=("best",))
    log(provider, 200)
    assert provider.shutdown(30_000)
    assert sides(provider) == {"required": (200, {}, 0), "best": (200, {}, 0)}


def test_a_native_exporter_can_be_best_effort_and_shutdown_does_not_wait_for_its_request(make: Make) -> None:
    taking = Taking()
    with OtlpReceiver() as receiver:
        endpoint = receiver.logs_endpoint
        receiver.refuse_connections()
        provider = make(taking, "otlp", best_effort=("otlp",), otlp={"endpoint": endpoint})
        log(provider, 2_000)
        assert provider.shutdown(10_000)
    assert sides(provider) == {"taking": (2_000, {}, 0), "otlp": (0, {"best_effort": 2_000}, 0)}


def test_nothing_is_spooled_for_a_best_effort_exporter(make: Make, tmp_path: Path) -> None:
    provider = make(Taking(), Hanging(), spool={"directory": tmp_path / "spool"})
    log(provider, 4_000)
    assert provider.shutdown(10_000)
    assert [side.spooled for side in provider.ledger().exporters.values()] == [0, 0]
    assert list((tmp_path / "spool").rglob("*.seg*")) == []


def test_with_best_effort_exporters_alone_no_caller_waits(make: Make) -> None:
    provider = make(Hanging())
    logging = threading.Thread(target=log, args=(provider, 4_000))
    logging.start()
    logging.join(PATIENCE_SECONDS)
    assert not logging.is_alive()
    assert provider.force_flush(10_000)
    assert provider.shutdown(10_000)
    assert sides(provider) == {"hanging": (0, {"best_effort": 4_000}, 0)}


def test_the_dropped_provider_of_a_hanging_best_effort_exporter_ends_by_itself(make: Make) -> None:
    taking = Taking()
    loaded = Settings.load(environ={}, delivery={"best_effort": ["hanging"]})
    provider = LoggerProvider(settings=loaded, exporters=[taking, Hanging()], shutdown_on_exit=False)
    log(provider, 10)
    del provider
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(thread.name == "fapilog-deliver" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert taking.records == 10


def test_a_name_that_no_exporter_has_is_a_configuration_error() -> None:
    settings = Settings.load(environ={"FAPILOG_BEST_EFFORT": "otlp,console,dashbord"})
    with pytest.raises(ConfigurationError) as caught:
        LoggerProvider(settings=settings, exporters=["otlp", "console", Hanging()])
    assert [problem.what for problem in caught.value.problems] == [
        "delivery.best_effort names an exporter that this provider does not have: console",
        "delivery.best_effort names an exporter that this provider does not have: dashbord",
    ]
    (setting,) = caught.value.problems[0].settings
    assert setting.origin == "FAPILOG_BEST_EFFORT"
    assert setting.remedy == "name exporters of this provider: otlp, hanging"
