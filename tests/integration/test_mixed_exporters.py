"""A good exporter beside slow, hanging and failing ones, under load: it gets all, and all ledgers add up."""

import asyncio
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.resources import Resource

from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.testing import OtlpReceiver
from tests.integration.harness import sequence

PATIENCE_MILLIS = 30_000
THREADS, TASKS = 3, 10
PER_THREAD, PER_TASK = 1_000, 100
ADOPTED = 50


class Taking:
    """Takes everything; the others change that."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.records = 0

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        self.records += len(batch)
        return ExportOutcome(delivered=len(batch))


class Slow(Taking):
    """Takes some milliseconds for each batch."""

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        await asyncio.sleep(0.005)
        return await super().export_batch(batch)


class Hanging(Taking):
    """Never answers."""

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        await asyncio.Event().wait()
        raise AssertionError


class Failing(Taking):
    """Raises, asks for later, rejects a part, raises what means never, and takes a batch now and then."""

    max_in_flight = 3

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._random = random.Random(5)

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        match self._random.randrange(5):
            case 0:
                raise ConnectionResetError("gone")
            case 1:
                return ExportOutcome(retry=True, retry_after_millis=1, cause="later")
            case 2:
                self.records += len(batch) - 1
                return ExportOutcome(delivered=len(batch) - 1, rejected=1, cause="one is bad")
            case 3:
                raise ValueError("never")
        return await super().export_batch(batch)


def settings(receiver: OtlpReceiver, spool: Path, *best_effort: str) -> Settings:
    return Settings.load(
        environ={},
        level="trace",
        buffer={
            "limit_bytes": 1 << 20,
            "chunk_bytes": 1 << 13,
            "record_bytes": 1 << 12,
            "max_block_records": 50,
            "schedule_delay_millis": 5,
            "overflow": "wait",
            "wait_timeout_millis": PATIENCE_MILLIS,
        },
        otlp={"endpoint": receiver.logs_endpoint},
        delivery={
            "best_effort": best_effort,
            "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 5},
            "breaker_pause_millis": 5,
        },
        spool={"directory": spool, "min_free_bytes": 0},
    )


def left_by_another(receiver: OtlpReceiver, spool: Path) -> None:
    """Leaves records of an ended process on the disk."""
    receiver.refuse_connections()
    ended = LoggerProvider(
        Resource({"service.name": "shop"}), settings=settings(receiver, spool), exporters=["otlp"]
    )
    for number in range(ADOPTED):
        ended.get_logger("shop").emit(body=f"left {number}")
    assert not ended.shutdown(1)
    assert ended.ledger().exporters["otlp"].spooled == ADOPTED
    receiver.accept_again()


def log_from_everywhere(provider: LoggerProvider) -> None:
    logger = provider.get_logger("shop")

    def log(seed: int, records: int) -> None:
        chosen = random.Random(seed)
        for _ in range(records):
            severity = SeverityNumber(chosen.choice((5, 9, 13, 17)))
            logger.emit(severity_number=severity, body="x" * chosen.randrange(200))

    async def task(seed: int) -> None:
        for number in range(PER_TASK):
            log(seed + number, 1)
            await asyncio.sleep(0)

    async def loop() -> None:
        await asyncio.gather(*(task(1_000 * number) for number in range(TASKS)))

    threads = [threading.Thread(target=log, args=(seed, PER_THREAD)) for seed in range(THREADS)]
    threads.append(threading.Thread(target=asyncio.run, args=(loop(),)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def test_a_good_exporter_gets_everything_beside_slow_hanging_and_failing_ones_and_all_ledgers_add_up(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    left_by_another(receiver, tmp_path)
    slow, hanging, failing = Slow("slow"), Hanging("hanging"), Failing("failing")
    provider = LoggerProvider(
        Resource({"service.name": "shop"}),
        settings=settings(receiver, tmp_path, "slow", "hanging", "failing"),
        exporters=["otlp", slow, hanging, failing],
    )
    log_from_everywhere(provider)
    logged = THREADS * PER_THREAD + TASKS * PER_TASK
    # Before the end, with much under way; what ended processes left is adopted meanwhile.
    assert provider.ledger().balanced, str(provider.ledger())
    assert provider.force_flush(PATIENCE_MILLIS)
    assert provider.shutdown(PATIENCE_MILLIS)

    ledger = provider.ledger()
    assert (ledger.accepted, ledger.adopted) == (logged, ADOPTED)
    for name, side in ledger.exporters.items():
        decided = side.delivered + side.rejected + sum(side.dropped.values())
        assert side.accepted + side.adopted == decided + side.pending, name
        assert (side.accepted, side.pending) == (logged, 0), name
        assert {reason for reason, lost in side.dropped.items() if lost} <= {"best_effort"}, name
    assert (slow.records, failing.records) == tuple(
        ledger.exporters[name].delivered for name in ("slow", "failing")
    )
    assert (hanging.records, ledger.exporters["hanging"].delivered) == (0, 0)

    good = ledger.exporters["otlp"]
    assert (good.delivered, good.adopted, good.rejected) == (logged + ADOPTED, ADOPTED, 0)
    bodies = [record.body for record in receiver.log_records]
    assert sum(str(body).startswith("left ") for body in bodies) == ADOPTED
    ours = [record for record in receiver.log_records if not str(record.body).startswith("left ")]
    assert sorted(sequence(record) for record in ours) == list(range(logged))
