"""What it costs a call that a record survives, and what does when the process is killed.

One thread logs numbered records at a steady rate, which gives the latencies, then as many as it can, which
gives the throughput; then the process is killed (SIGKILL), and a successor of the same service delivers
what it finds. The receiver counts the numbers: lost are records whose call had returned; twice may come what
the ledger had not called delivered when the process was killed. fapilog keeps
records in memory, in a crash ring that outlives the process, in one that is forced to the disk, or in a
spool while the collector is away; beside it the stock SDK with its defaults, and a `FileHandler`, which
writes every record in the call.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fault_receiver import NUMBER, FaultReceiver, fault_receiver
from benchmarks.libraries import DEFAULTS, FILE, NotInstalledError
from benchmarks.measure import Goal, Row, missing
from benchmarks.options import Options
from benchmarks.worker import Worker, WorkerError

RATE = 10_000
LABELS = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}
# At the steady rate, and as fast as the library takes them.
PACED = (40_000, 10_000)
BURST = (100_000, 20_000)
# After this long without a new record, nothing more comes.
QUIET_SECONDS = 3.0


@dataclass(frozen=True)
class Way:
    """One row: a library, how it is configured, and what may be lost."""

    name: str
    library: str = "fapilog"
    variables: Mapping[str, str] = field(default_factory=dict)
    collector_is_away: bool = False
    is_spooled: bool = False
    may_lose: bool = True


WAYS = (
    Way("fapilog, memory"),
    Way("fapilog, process", variables={"FAPILOG_DURABILITY": "process"}, is_spooled=True, may_lose=False),
    Way("fapilog, power", variables={"FAPILOG_DURABILITY": "power"}, is_spooled=True, may_lose=False),
    # A buffer so small that records go to the disk; the quarter of it that stays in memory is lost.
    Way(
        "fapilog, spool, collector away",
        variables={"FAPILOG_BUFFER_BYTES": "1048576"},
        is_spooled=True,
        collector_is_away=True,
    ),
    Way(
        "fapilog, process, collector away",
        variables={"FAPILOG_DURABILITY": "process"},
        is_spooled=True,
        collector_is_away=True,
        may_lose=False,
    ),
    Way("otel emit (defaults)", DEFAULTS),
    Way("stdlib file", FILE),
)


def run(options: Options) -> list[Row]:
    """Return latencies, throughput, losses and duplicates of each way."""
    group = f"{RATE:,} calls/s, then as many as possible, then SIGKILL"
    rows: list[Row] = []
    for way in WAYS:
        try:
            with tempfile.TemporaryDirectory() as folder, fault_receiver() as receiver:
                found = measure(way, receiver, Path(folder), options.pick(*PACED), options.pick(*BURST))
            rows += _rows(way, group, found)
        except (NotInstalledError, WorkerError) as error:
            rows += missing([way.name], "p50", "µs", str(error), group=group)
    return rows


def measure(way: Way, receiver: FaultReceiver, folder: Path, paced: int, burst: int) -> dict[str, Any]:
    """Log, kill, let a successor deliver; return what the calls took and what arrived."""
    spool = {"FAPILOG_SPOOL_DIRECTORY": str(folder / "spool")} if way.is_spooled else {}
    variables = {**way.variables, **spool, "BENCHMARK_FILE": str(folder / "log")}
    with Worker(way.library, **variables) as worker:
        worker.ask("prepare", endpoint=receiver.endpoint)
        if way.collector_is_away:
            receiver.tell("fault refused")
        found: dict[str, Any] = worker.ask("numbered", rate=RATE, n=paced, first=0)
        found |= worker.ask("burst", n=burst, first=paced)
        found["pending"] = worker.ask("ledger").get("pending")
    # The worker is gone: leaving the block kills it.
    if way.collector_is_away:
        receiver.tell("heal")
    if way.library == FILE:
        numbers = [json.loads(line)[NUMBER] for line in (folder / "log").read_text("utf-8").splitlines()]
        arrived = {"records": len(numbers), "distinct": len(set(numbers))}
    else:
        with successor(way, receiver, variables):
            arrived = quiet(receiver)
    found["lost"] = paced + burst - arrived["distinct"]
    found["duplicates"] = arrived["records"] - arrived["distinct"]
    return found


@contextmanager
def successor(way: Way, receiver: FaultReceiver, variables: Mapping[str, str]) -> Iterator[None]:
    """Start the next process of the same service, where there is something for it to find."""
    if not way.is_spooled:
        yield
        return
    with Worker(way.library, **variables) as worker:
        worker.ask("prepare", endpoint=receiver.endpoint)
        # The first record starts the threads; its number is one of those that arrived long ago.
        worker.ask("numbered", rate=RATE, n=1, first=0)
        yield
        # In order, so that it takes its ring with it.
        worker.ask("close")


def quiet(receiver: FaultReceiver) -> dict[str, int]:
    """Wait until nothing more arrives, and return what did."""
    found: dict[str, int] = receiver.tell("stats")
    since = time.monotonic()
    while time.monotonic() < since + QUIET_SECONDS:
        time.sleep(0.2)
        now: dict[str, int] = receiver.tell("stats")
        if now != found:
            found, since = now, time.monotonic()
    return found


def _rows(way: Way, group: str, found: dict[str, Any]) -> list[Row]:
    ours, goal = way.library == "fapilog", None
    if not way.may_lose:
        goal = Goal(at_most=0)
    rows = [
        Row(way.name, label, found[key] / 1_000, "µs", group=group, goal=_latency_goal(ours, key))
        for key, label in LABELS.items()
    ]
    rows.append(Row(way.name, "throughput", found["per_second"], "/s", better="higher", group=group))
    rows.append(Row(way.name, "records lost", found["lost"], "", goal=goal, group=group))
    # The successor's own record is one that arrived before.
    twice = max(0, found["duplicates"] - int(way.is_spooled))
    bound = None if way.may_lose else Goal(at_most=found["pending"])
    rows.append(Row(way.name, "records twice", twice, "", group=group, goal=bound))
    return rows


def _latency_goal(ours: bool, key: str) -> Goal | None:
    return Goal(at_most=5.0) if ours and key == "p99" else None


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
