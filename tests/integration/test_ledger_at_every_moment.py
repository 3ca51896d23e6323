"""The ledger adds up at every moment, whatever happens meanwhile: every snapshot of one thread is a check."""

import os
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fapilog
from fapilog.exporters.base import ExportOutcome
from fapilog.testing import Answer, CloseWithoutAnswer, Ok, OtlpReceiver, Status

Configure = Callable[..., fapilog.Telemetry]
SECONDS = 2.0
END_MILLIS = 3_000
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


def moods(receiver: OtlpReceiver, stop: threading.Event) -> None:
    """The receiver changes what it answers until the end."""
    answers: list[Answer] = [Ok(), Status(503), Ok(), CloseWithoutAnswer(), Status(400), Ok(rejected=1)]
    while not stop.is_set():
        for answer in answers:
            receiver.answer_always_with(answer)
            stop.wait(0.05)


def terms(ledger: fapilog.Ledger) -> dict[str, int]:
    """Every term that may only grow."""
    found = {"offered": ledger.offered, "filtered": ledger.filtered, "accepted": ledger.accepted}
    found |= {f"refused.{reason}": count for reason, count in ledger.refused.items()}
    for name, side in ledger.exporters.items():
        found |= {f"{name}.{term}": getattr(side, term) for term in GROWING}
        found |= {f"{name}.dropped.{reason}": count for reason, count in side.dropped.items()}
    return found


def watch(telemetry: fapilog.Telemetry, stop: threading.Event, faults: list[object]) -> None:
    """Takes snapshots until the end, each of which has to add up and may not be behind the one before."""
    before: dict[str, int] = {}
    while not stop.is_set() and not faults:
        ledger = telemetry.ledger()
        now = terms(ledger)
        if not ledger.balanced:
            faults.append(str(ledger))
        fallen = {name: (before[name], now[name]) for name in before if now[name] < before[name]}
        if fallen:
            faults.append(fallen)
        before = now


def hammer(configure: Configure, receiver: OtlpReceiver, overflow: str, **settings: Any) -> fapilog.Ledger:
    """Logs, flushes, forks, changes the level and the receiver's mood, while another thread watches."""
    buffer = SMALL | {"overflow": overflow, "wait_timeout_millis": 50}
    retry = {"initial_backoff_millis": 1, "max_backoff_millis": 5, "max_elapsed_millis": 500}
    telemetry = configure(exporters=["otlp", Moody()], buffer=buffer, otlp={"retry": retry}, **settings)
    stop = threading.Event()
    faults: list[object] = []

    def log(seed: int) -> None:
        chosen = random.Random(seed)
        logger = fapilog.get_logger(f"shop.{seed}")
        methods = [logger.debug, logger.info, logger.warning, logger.error, logger.audit]
        while not stop.is_set():
            chosen.choice(methods)("x" * chosen.randrange(10, 1_000), number=seed)

    def disturb() -> None:
        while not stop.is_set():
            telemetry.force_flush(20)
            telemetry.set_level("debug")
            telemetry.set_level("info")
            child = os.fork()
            if child == 0:
                fapilog.get_logger("child").info("hello")
                os._exit(0 if telemetry.ledger().balanced else 1)
            if os.waitpid(child, 0)[1] != 0:
                faults.append("the child's ledger does not add up")

    calls: list[Callable[[], None]] = [
        *(partial(log, seed) for seed in range(3)),
        disturb,
        partial(moods, receiver, stop),
        partial(watch, telemetry, stop, faults),
    ]
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and not faults:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert faults == []
    receiver.answer_always_with(Ok())
    telemetry.shutdown(END_MILLIS)
    ledger = telemetry.ledger()
    assert ledger.balanced
    assert ledger.accepted > 100
    return ledger


def test_every_snapshot_adds_up_in_memory(configure: Configure, receiver: OtlpReceiver) -> None:
    hammer(configure, receiver, "drop_oldest")


def test_every_snapshot_adds_up_while_callers_wait(configure: Configure, receiver: OtlpReceiver) -> None:
    hammer(configure, receiver, "wait")


def test_every_snapshot_adds_up_while_blocks_go_to_the_disk_and_come_back(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    spool = {"directory": tmp_path / "spool", "limit_bytes": 400_000, "segment_bytes": 65_536}
    hammer(configure, receiver, "drop_newest", spool=spool | {"min_free_bytes": 0})
