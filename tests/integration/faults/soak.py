"""The soak: logs at a steady rate to a receiver that flaps, and measures memory, threads and descriptors.

`make soak` runs it for ten minutes at 200,000 records per second; `test_soak.py` for some seconds. It prints
what it found, and ends with status 1 if something grew, was lost, or does not add up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from fapilog import Ledger, LoggerProvider, Settings
from tests.integration.beside import beside
from tests.integration.faults import ways
from tests.integration.faults.table import HTTP, PROTOBUF
from tests.integration.harness import merged

ROOT = Path(__file__).parents[3]
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1_048_576
BURST_SECONDS = 0.005
SAMPLE_SECONDS = 0.1
FLUSH_MILLIS = 60_000
# More requests than by default, so that more of them meet a fault.
SETTINGS: dict[str, Any] = {
    "buffer": {"chunk_bytes": 262_144, "schedule_delay_millis": 20},
    "delivery": ways.SETTINGS["delivery"],
}
# What the allocator may keep beyond what it had: the buffer breathes with every outage.
GROWTH_BYTES, GROWTH_RATIO = 8 * MIB, 0.1
# A line through minutes is flat; through seconds, it may rise by what the allocator keeps.
SLOPE_BYTES_PER_MINUTE = MIB


@dataclass(frozen=True)
class Sample:
    """The process at one moment."""

    seconds: float
    rss_bytes: int
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Soak:
    """What a run found.

    Attributes:
        asked_rate: Records per second that were asked for.
        rate: Records per second that the caller reached.
        samples: The process over time.
        unbalanced: Ledgers that did not add up.
        ledger: The last one.
        received: What the receiver says (`tests/servers/flapping.py`).
        spooled: The most records that were on disk at once; None if none had to be.
    """

    asked_rate: int
    rate: float
    samples: Sequence[Sample]
    unbalanced: Sequence[Ledger]
    ledger: Ledger
    received: dict[str, int]
    spooled: int | None = None

    def parts(self) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """The second and the third third: the first one is for warming up."""
        third = len(self.samples) // 3
        return self.samples[third : 2 * third], self.samples[2 * third :]

    def slope_bytes_per_minute(self) -> float:
        """How fast memory grows after the first third, as a line through all samples."""
        after = [sample for part in self.parts() for sample in part]
        line = statistics.linear_regression(
            [sample.seconds for sample in after], [float(sample.rss_bytes) for sample in after]
        )
        return line.slope * 60

    def is_growing(self) -> bool:
        """Whether the line through memory rises more than chance explains."""
        middle, last = self.parts()
        minutes = (last[-1].seconds - middle[0].seconds) / 60
        return self.slope_bytes_per_minute() > max(SLOPE_BYTES_PER_MINUTE, GROWTH_BYTES / minutes)

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        middle, last = self.parts()
        (side,) = self.ledger.exporters.values()
        before, after = (statistics.median(sample.rss_bytes for sample in part) for part in (middle, last))
        found = {
            f"memory grew from {before / MIB:.1f} to {after / MIB:.1f} MiB": after - before
            > max(GROWTH_BYTES, GROWTH_RATIO * before),
            f"memory grows by {self.slope_bytes_per_minute() / MIB:.2f} MiB per minute": self.is_growing(),
            # A post of the webhook has a thread, for longer than the others when it is not answered.
            "threads were added": _most(last, "threads") > _most(middle, "threads") + 1,
            # Between closing and opening, a connection counts twice.
            "descriptors were added": _most(last, "descriptors") > _most(middle, "descriptors") + 2,
            f"{len(self.unbalanced)} ledgers did not add up": bool(self.unbalanced),
            "nothing went to the disk": self.spooled == 0,
            f"not everything was delivered: {side}": side.delivered != side.accepted,
            f"the receiver misses records: {self.received}": (
                self.received["distinct"] != side.accepted or self.received["missing"] != 0
            ),
            f"records came twice without a lost answer: {self.received}": (
                self.received["records"] > self.received["distinct"] and not self.received["answers_lost"]
            ),
        }
        return [problem for problem, is_so in found.items() if is_so]

    def __str__(self) -> str:
        middle, last = self.parts()
        return "\n".join(
            [
                f"rate        {self.rate:,.0f} of {self.asked_rate:,} records/s",
                f"memory      {_most(middle, 'rss_bytes') / MIB:.1f} MiB at most in the second third,"
                f" {_most(last, 'rss_bytes') / MIB:.1f} in the last,"
                f" slope {self.slope_bytes_per_minute() / MIB:+.2f} MiB/min",
                f"threads     {_most(middle, 'threads')}, {_most(last, 'threads')}",
                f"descriptors {_most(middle, 'descriptors')}, {_most(last, 'descriptors')}",
                f"received    {self.received}",
                f"on disk     {self.spooled} records at most",
                str(self.ledger),
            ]
        )


def _most(samples: Sequence[Sample], what: str) -> int:
    return max(getattr(sample, what) for sample in samples)


def soak(
    way: str,
    rate: int,
    seconds: float,
    good_seconds: float,
    bad_seconds: float,
    stored: Mapping[str, Any] = MappingProxyType({}),
    *,
    must_spool: bool = False,
) -> Soak:
    """Runs one over HTTP, with `stored` added to its settings, and answers what it found."""
    with flapping(good_seconds, bad_seconds) as (port, stay_good, told):
        own = merged(merged(SETTINGS, stored), ways.settings(way, port, 5_000, None))
        loaded = Settings.load(environ={}, **own)
        with LoggerProvider(settings=loaded, shutdown_on_exit=False) as provider:
            samples, unbalanced, spooled = [], [], 0
            begun = time.monotonic()

            def watch() -> None:
                nonlocal spooled
                samples.append(sample(time.monotonic() - begun))
                ledger = provider.ledger()
                spooled = max(spooled, *(side.spooled for side in ledger.exporters.values()))
                if not ledger.balanced:
                    unbalanced.append(ledger)

            with beside(watch, pause_seconds=SAMPLE_SECONDS):
                reached = log_steadily(provider, rate, seconds)
            stay_good()
            provider.force_flush(FLUSH_MILLIS)
            ledger = provider.ledger()
        on_disk = spooled if must_spool else None
        return Soak(rate, reached, samples, unbalanced, ledger, told(), on_disk)


def stored_in(directory: Path, spool: bool, durability: str | None) -> dict[str, Any]:
    """Settings for what outlives memory; with `spool`, the buffer is so small that the disk has to help."""
    stored: dict[str, Any] = {} if durability is None else {"durability": durability}
    if spool:
        # Small and not compressed, so that an outage of a second is more than memory may hold.
        stored["buffer"] = {"limit_bytes": MIB, "chunk_bytes": 65_536, "overflow": "wait"}
        stored["otlp"] = {"compression": "none"}
    if spool or durability not in {None, "memory"}:
        stored["spool"] = {"directory": directory}
    return stored


def log_steadily(provider: LoggerProvider, rate: int, seconds: float) -> float:
    """Logs for so long, not faster than asked, and answers the rate that was reached."""
    emit = provider.get_logger("shop").emit
    burst = max(1, int(rate * BURST_SECONDS))
    begun, logged = time.monotonic(), 0
    while (now := time.monotonic() - begun) < seconds:
        if logged > now * rate:
            time.sleep(logged / rate - now)
        for number in range(logged, logged + burst):
            emit(
                body="order placed", attributes={"path": "/api/v1/orders", "status": 200, "customer": number}
            )
        logged += burst
    return logged / (time.monotonic() - begun)


def sample(seconds: float) -> Sample:
    """The process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    threads, descriptors = (sum(1 for _ in Path(f"/proc/self/{name}").iterdir()) for name in ("task", "fd"))
    return Sample(seconds, pages * PAGE_BYTES, threads, descriptors)


@contextmanager
def flapping(
    good_seconds: float, bad_seconds: float, port: int = 0
) -> Iterator[tuple[int, Callable[[], None], Callable[[], dict[str, int]]]]:
    """The receiver in a process of its own: its port, how to calm it, and what it received in the end."""
    command = [sys.executable, "-m", "tests.servers.flapping"]
    command += ["--good-seconds", str(good_seconds), "--bad-seconds", str(bad_seconds), "--port", str(port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def stay_good() -> None:
            stdin.write("\n")
            stdin.flush()
            assert stdout.readline() == "good\n"

        def told() -> dict[str, int]:
            stdin.close()
            received: dict[str, Any] = json.loads(stdout.readline())
            return received

        try:
            yield int(stdout.readline()), stay_good, told
        finally:
            process.kill()


class Found(Protocol):
    """What a run found, to be printed."""

    def problems(self) -> list[str]:
        """What is wrong, in words."""


def report(found: Found) -> int:
    """Prints it and its problems, and answers the status with which to end."""
    problems = found.problems()
    print(found)
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


def main() -> int:
    """Runs a soak and says what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=HTTP, default=PROTOBUF)
    parser.add_argument("--rate", type=int, default=200_000, help="records per second")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--good-seconds", type=float, default=4.0)
    parser.add_argument("--bad-seconds", type=float, default=1.0)
    parser.add_argument("--spool", action="store_true", help="a spool, and a buffer so small that it is used")
    parser.add_argument("--durability", choices=["memory", "process", "power"])
    arguments = vars(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder:
        spool, durability = arguments.pop("spool"), arguments.pop("durability")
        stored = stored_in(Path(folder) / "spool", spool, durability)
        return report(soak(**arguments, stored=stored, must_spool=spool))


if __name__ == "__main__":
    sys.exit(main())
