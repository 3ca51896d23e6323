"""The ledger adds up at every moment, whatever happens meanwhile: every snapshot of one thread is a check."""

import itertools
import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog.exporters.base import ExportOutcome
from fapilog.testing import CloseWithoutAnswer, Ok, OtlpReceiver, Status
from tests.integration.beside import Ledgers, beside, wait_until

Configure = Callable[..., fapilog.Telemetry]
SECONDS, LOOKS = 1.5, 50
# Moody takes longer than that for what is left: the end has something to drop, or to leave on the disk.
END_MILLIS = 300
MOOD_SECONDS = 0.05
SMALL = {"limit_bytes": 262_144, "chunk_bytes": 8_192, "record_bytes": 4_096, "max_block_records": 20}
# What only grows; `adopted` falls when a block that was taken over turns out to be for somebody else.
GROWING = ("accepted", "delivered", "rejected")


class Moody:
    """An exporter that delivers, rejects, fails and raises, in turn."""

    name = "moody"
    max_in_flight = 3

    def __init__(self) -> None:
        self._random = random.Random(7)

    async def export_batch(self, batch: fapilog.LogBatch) -> ExportOutcome:
        mood = self._random.random()
        if mood < 0.2:
            raise OSError("moody")
        if mood < 0.5:
            return ExportOutcome(retry=True, retry_after_millis=1, cause="moody")
        if mood < 0.7:
            return ExportOutcome(delivered=len(batch) - 1, rejected=1)
        return ExportOutcome(delivered=len(batch))


def terms(ledger: fapilog.Ledger) -> dict[str, int]:
    """Every term that may only grow."""
    found = {"offered": ledger.offered, "filtered": ledger.filtered, "accepted": ledger.accepted}
    found |= {f"refused.{reason}": count for reason, count in ledger.refused.items()}
    for name, side in ledger.exporters.items():
        found |= {f"{name}.{term}": getattr(side, term) for term in GROWING}
        found |= {f"{name}.dropped.{reason}": count for reason, count in side.dropped.items()}
    return found


class Snapshots(Ledgers):
    """Snapshots, none of which may be behind the one before."""

    def __init__(self, telemetry: fapilog.Telemetry) -> None:
        super().__init__(telemetry.ledger)
        self._before: dict[str, int] = {}

    def check(self) -> None:
        now, before = terms(self.look()), self._before
        fallen = {name: (before[name], now[name]) for name in before if now[name] < before[name]}
        assert not fallen, fallen
        self._before = now


def logs(seed: int) -> Callable[[], None]:
    """A call that logs one record, with a method and a size by chance."""
    chosen = random.Random(seed)
    logger = fapilog.get_logger(f"shop.{seed}")
    methods = [logger.debug, logger.info, logger.warning, logger.error, logger.audit]
    return lambda: chosen.choice(methods)("x" * chosen.randrange(10, 1_000), number=seed)


def changes_mood(receiver: OtlpReceiver) -> Callable[[], None]:
    """A call by which the receiver changes what it answers, for a while."""
    answers = itertools.cycle(
        [Ok(), Status(503), Ok(), CloseWithoutAnswer(), Status(400), Ok(rejected=1)],
    )

    def change() -> None:
        receiver.answer_always_with(next(answers))
        time.sleep(MOOD_SECONDS)

    return change


def disturb(telemetry: fapilog.Telemetry) -> None:
    """Flushes, changes the level, and forks a child whose ledger has to add up too."""
    telemetry.force_flush(20)
    telemetry.set_level("debug")
    telemetry.set_level("info")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            fapilog.get_logger("child").info("hello")
            status = int(not telemetry.ledger().balanced)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0, "the child's ledger does not add up"


def hammer(configure: Configure, receiver: OtlpReceiver, overflow: str, **settings: Any) -> Snapshots:
    """Logs, flushes, forks, changes the level and the receiver's mood, while another thread watches."""
    buffer = SMALL | {"overflow": overflow, "wait_timeout_millis": 50}
    retry = {"initial_backoff_millis": 1, "max_backoff_millis": 5, "max_elapsed_millis": 500}
    telemetry = configure(exporters=["otlp", Moody()], buffer=buffer, otlp={"retry": retry}, **settings)
    snapshots = Snapshots(telemetry)
    calls = [*map(logs, range(3)), partial(disturb, telemetry), changes_mood(receiver), snapshots.check]
    with beside(*calls) as failed:
        failed.wait(SECONDS)
        wait_until(lambda: failed.is_set() or snapshots.looks > LOOKS, f"{LOOKS} looks")
        if "spool" in settings:
            wait_until(lambda: failed.is_set() or snapshots.most_spooled, "records on disk")
    receiver.answer_always_with(Ok())
    wait_until(lambda: snapshots.look().exporters["otlp"].pending == 0, "an end of what is for the receiver")
    telemetry.shutdown(END_MILLIS)
    assert snapshots.look().accepted > 100
    return snapshots


def test_every_snapshot_adds_up_in_memory(configure: Configure, receiver: OtlpReceiver) -> None:
    hammer(configure, receiver, "drop_oldest")


def test_every_snapshot_adds_up_while_callers_wait(configure: Configure, receiver: OtlpReceiver) -> None:
    hammer(configure, receiver, "wait")


def test_every_snapshot_adds_up_while_blocks_go_to_the_disk_and_come_back(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = {"directory": tmp_path / "spool", "limit_bytes": 400_000, "segment_bytes": 65_536}
    snapshots = hammer(configure, receiver, "drop_newest", spool=spool | {"min_free_bytes": 0})
    assert snapshots.most_spooled > 0


@pytest.mark.parametrize("overflow", ["drop_oldest", "wait"])
def test_every_snapshot_adds_up_with_a_crash_ring(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path, overflow: str
) -> None:
    spool = {"directory": tmp_path / "spool", "limit_bytes": 400_000, "segment_bytes": 65_536}
    snapshots = hammer(
        configure,
        receiver,
        overflow,
        durability="process",
        spool=spool | {"min_free_bytes": 0},
        ring={"directory": tmp_path / "ring", "limit_bytes": 1 << 18},
    )
    assert snapshots.most_spooled > 0
