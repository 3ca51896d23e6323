"""Throughput as threads and processes are added."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks.end_to_end import prove
from benchmarks.libraries import NotInstalledError
from benchmarks.measure import Goal, Row, missing
from benchmarks.options import Options
from benchmarks.servers import null_receiver
from benchmarks.worker import Worker

LIBRARIES = ("fapilog", "otel emit", "stdlib queue")
COUNTS = (1, 2, 4, 8)
RECORDS = {"fapilog": (2_000_000, 400_000), "otel emit": (32_000, 8_000), "stdlib queue": (200_000, 40_000)}
# "No loss of total throughput as threads are added", less the noise of a shared machine.
KEEPS = Goal(at_least=0.9, of="ratio")

Rates = dict[str, float]
Found = dict[int, Rates]


def run(options: Options) -> list[Row]:
    """Return the rows of threads, then of processes; the ratio is to one thread or one process."""
    rows: list[Row] = []
    for kind, measure in (("Threads", threads), ("Processes", processes)):
        rates, reasons = rounds(measure, options)
        for name, reason in reasons.items():
            for count in COUNTS:
                goal = KEEPS if count > 1 else None
                rows += missing([name], heading(kind, count, "delivered"), "/s", reason, goal, kind)
        for name, found in rates.items():
            rows += library_rows(kind, name, found)
    return rows


def rounds(
    measure: Callable[[str, int, int], Rates], options: Options
) -> tuple[dict[str, Found], dict[str, str]]:
    """Measure every library at every count, round after round; keep the best rate of each."""
    rates: dict[str, Found] = {}
    reasons: dict[str, str] = {}
    for _ in range(options.pick(3, 1, 2)):
        for count in COUNTS:
            for name in LIBRARIES:
                try:
                    measured = measure(name, options.pick(*RECORDS[name]), count)
                except NotInstalledError as error:
                    reasons[name] = str(error)
                    continue
                kept = rates.setdefault(name, {}).setdefault(count, {})
                for what, rate in measured.items():
                    kept[what] = max(rate, kept.get(what, 0.0))
    return rates, reasons


def library_rows(kind: str, name: str, found: Found) -> list[Row]:
    """Return the rows of one library, with ratios to its own figure for one."""
    rows = []
    for count, rates in found.items():
        for what, rate in rates.items():
            ratio = rate / found[COUNTS[0]][what]
            goal = KEEPS if name == "fapilog" and what == "delivered" and count > 1 else None
            label = heading(kind, count, what)
            rows.append(Row(name, label, rate, "/s", ratio, goal=goal, better="higher", group=kind))
    return rows


def heading(kind: str, count: int, what: str) -> str:
    singular = {"Threads": "thread", "Processes": "process"}[kind]
    return f"{count} {singular if count == 1 else kind.lower()}, {what}"


def threads(name: str, n: int, count: int) -> Rates:
    """Share n records among threads of one process."""
    with null_receiver() as receiver, Worker(name) as worker:
        worker.ask("prepare", endpoint=receiver.endpoint)
        found: dict[str, Any] = worker.ask("throughput", n=n, threads=count)
    prove(name, found)
    return {
        "calls": found["offered"] / found["call_seconds"],
        "delivered": found["offered"] / found["total_seconds"],
    }


def processes(name: str, n: int, count: int) -> Rates:
    """Share n records among processes that start together; the wall time is that of the slowest."""
    with ExitStack() as stack:
        receiver = stack.enter_context(null_receiver())
        workers = [stack.enter_context(Worker(name)) for _ in range(count)]
        for worker in workers:
            worker.ask("prepare", endpoint=receiver.endpoint)
            worker.ask("warm")
        start = time.perf_counter()
        for worker in workers:
            worker.send("throughput", n=n // count)
        results = [worker.receive() for worker in workers]
        seconds = time.perf_counter() - start
    for found in results:
        prove(name, found)
    return {"delivered": sum(found["offered"] for found in results) / seconds}


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
