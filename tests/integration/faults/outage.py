"""An outage of half an hour in a minute: the collector is away, records wait in the spool, and drain later.

What is compressed is the waiting: as many records as half an hour brings are logged as fast as they can be,
and pauses between attempts are short. Bytes, files and the process are real. `make outage` runs it, and
`test_spooled_outage.py` small ones. It ends with status 1 if something was lost that is not counted, or grew.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fapilog import Ledger, LoggerProvider, Settings
from tests.integration.beside import beside
from tests.integration.faults import ways
from tests.integration.faults.soak import MIB, flapping, report, sample
from tests.integration.faults.table import HTTP, PROTOBUF
from tests.integration.harness import merged

BUFFER_BYTES = 2 * MIB
# What the allocator, the interpreter and the senders may take beside the buffer.
SLACK_BYTES = 48 * MIB
SAMPLE_SECONDS = 0.05
# A disk that takes nothing for so long takes nothing more.
STUCK_SECONDS = 2.0
FLUSH_MILLIS = 300_000
# So that the receiver never flaps by itself.
NEVER_SECONDS = 1e6
# A part of the records is delivered before the outage, so that memory is warm when it begins.
WARM_SHARE = 5


@dataclass(frozen=True)
class Outage:
    """What a run found.

    Attributes:
        records: Logged while the collector was away.
        quota_bytes: What the spool may take.
        rss_before: Bytes of the process before the outage.
        rss: The same while it lasted.
        disk: Bytes of the spool while it lasted and while it drained.
        buffered: Bytes of the buffer at the same times.
        spooled: Records on disk when the last one of the outage was logged.
        unbalanced: Ledgers that did not add up.
        ledger: The last one.
        before: What the receiver got before the outage.
        after: What it got afterwards.
        left: Files in the spool at the end.
    """

    records: int
    quota_bytes: int
    rss_before: int
    rss: Sequence[int]
    disk: Sequence[int]
    buffered: Sequence[int]
    spooled: int
    unbalanced: Sequence[Ledger]
    ledger: Ledger
    before: dict[str, int]
    after: dict[str, int]
    left: Sequence[str]

    @property
    def lost(self) -> int:
        """Records that the ledger counts as lost."""
        (side,) = self.ledger.exporters.values()
        return sum(side.dropped.values()) + self.ledger.refused["shed"]

    @property
    def missing(self) -> int:
        """Numbers that the receiver never saw."""
        return self.after["missing"] - self.before["distinct"]

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        (side,) = self.ledger.exporters.values()
        arrived = self.before["distinct"] + self.after["distinct"]
        grown = max(self.rss) - self.rss_before
        found = {
            f"memory grew by {grown / MIB:.1f} MiB": grown > BUFFER_BYTES + SLACK_BYTES,
            f"the buffer took {max(self.buffered)} bytes": max(self.buffered) > BUFFER_BYTES,
            f"the spool took {max(self.disk)} bytes": max(self.disk) > self.quota_bytes,
            "nothing went to the disk": self.spooled == 0,
            f"{len(self.unbalanced)} ledgers did not add up": bool(self.unbalanced),
            f"not everything is decided: {side}": side.pending != 0,
            f"{arrived} records arrived, {side.delivered} were delivered": arrived != side.delivered,
            f"{self.missing} numbers are missing, {self.lost} records are counted": self.missing != self.lost,
            f"records came twice: {self.after}": self.after["records"] != self.after["distinct"],
            f"files were left: {self.left}": bool(self.left),
        }
        return [problem for problem, is_so in found.items() if is_so]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"away        {self.records:,} records, {self.spooled:,} of them on disk at its end",
                f"memory      {self.rss_before / MIB:.1f} MiB before, {max(self.rss) / MIB:.1f} at most",
                f"buffer      {max(self.buffered) / MIB:.2f} of {BUFFER_BYTES / MIB:.0f} MiB at most",
                f"disk        {max(self.disk) / MIB:.1f} of {self.quota_bytes / MIB:.0f} MiB at most",
                f"lost        {self.lost:,} counted, {self.missing:,} missing at the receiver",
                str(self.ledger),
            ]
        )


class Meter:
    """Reads memory, buffer and disk again and again, and whether the ledger adds up."""

    def __init__(self, provider: LoggerProvider, spool: Path) -> None:
        self._provider, self._spool = provider, spool
        self.rss: list[int] = []
        self.disk: list[int] = []
        self.buffered: list[int] = []
        self.unbalanced: list[Ledger] = []

    def read(self) -> None:
        """One reading."""
        self.rss.append(sample(0).rss_bytes)
        self.buffered.append(self._provider.outlet.buffer_bytes())
        self.disk.append(disk_bytes(self._spool))
        ledger = self._provider.ledger()
        if not ledger.balanced:
            self.unbalanced.append(ledger)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Reads all the time inside the block."""
        with beside(self.read, pause_seconds=SAMPLE_SECONDS):
            yield
        self.read()


def disk_bytes(spool: Path) -> int:
    """What the files of a spool take; one that goes away meanwhile takes nothing."""
    total = 0
    for path in spool.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def outage(way: str, records: int, quota_bytes: int, spool: Path) -> Outage:
    """Logs `records` while the collector is away, and answers what was found when it is back."""
    settings: dict[str, Any] = {
        "capture_location": "never",
        "buffer": {"limit_bytes": BUFFER_BYTES, "chunk_bytes": 131_072, "schedule_delay_millis": 20},
        "delivery": ways.SETTINGS["delivery"],
        "spool": {"directory": spool, "limit_bytes": quota_bytes, "segment_bytes": quota_bytes // 8},
    }
    with flapping(NEVER_SECONDS, 0) as (port, stay_good, told):
        # Attempts are not ended by time: on a busy machine that would send records twice.
        own = merged(settings, ways.settings(way, port, 60_000, None))
        provider = LoggerProvider(settings=Settings.load(environ={}, **own), shutdown_on_exit=False)
        log(provider, records // WARM_SHARE)
        assert provider.force_flush(FLUSH_MILLIS), str(provider.ledger())
        stay_good()
        before = told()
    with provider:
        rss_before, meter = sample(0).rss_bytes, Meter(provider, spool)
        with meter.running():
            log(provider, records)
            spooled = side_of(provider).spooled
            with flapping(NEVER_SECONDS, 0, port) as (_, stay_good, told):
                provider.force_flush(FLUSH_MILLIS)
                stay_good()
                assert provider.shutdown(FLUSH_MILLIS)
                after = told()
        left = [str(path) for path in spool.rglob("*")]
        return Outage(
            records,
            quota_bytes,
            rss_before,
            meter.rss,
            meter.disk,
            meter.buffered,
            spooled,
            meter.unbalanced,
            provider.ledger(),
            before,
            after,
            left,
        )


def log(provider: LoggerProvider, records: int) -> None:
    """Logs so many, as fast as the spool takes them; without a pause once its quota is reached."""
    emit, bits = provider.get_logger("shop").emit, random.Random(records).getrandbits
    is_paced = True
    for number in range(records):
        # Half of it is not to be compressed, as in life.
        request = f"{bits(128):032x}"
        emit(body="order placed", attributes={"path": "/orders", "status": 200, "request": request})
        while is_paced and number % 500 == 0 and provider.outlet.buffer_bytes() > BUFFER_BYTES // 2:
            is_paced = keeps_moving(provider)


def keeps_moving(provider: LoggerProvider) -> bool:
    """Whether records still go on, to the spool or to the receiver; at the quota of an outage they do not."""
    before = moved(provider)
    deadline = time.monotonic() + STUCK_SECONDS
    while time.monotonic() < deadline:
        if moved(provider) != before:
            return True
        time.sleep(0.002)
    return False


def moved(provider: LoggerProvider) -> tuple[int, int]:
    """Records on disk, and delivered ones."""
    side = side_of(provider)
    return side.spooled, side.delivered


def side_of(provider: LoggerProvider) -> Any:
    """The ledger of the one exporter."""
    (side,) = provider.ledger().exporters.values()
    return side


def main() -> int:
    """Runs an outage and says what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=HTTP, default=PROTOBUF)
    # Half an hour of a service that logs 2,000 records per second.
    parser.add_argument("--records", type=int, default=3_600_000)
    parser.add_argument("--quota-mib", type=int, default=1_024)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        quota = arguments.quota_mib * MIB
        return report(outage(arguments.way, arguments.records, quota, Path(folder) / "spool"))


if __name__ == "__main__":
    sys.exit(main())
