"""Throughput as threads and processes are added."""

from __future__ import annotations

import time
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
RECORDS = {"fapilog": (4_000_000, 400_000), "otel emit": (32_000, 8_000), "stdlib queue": (200_000, 40_000)}
# "No loss of total throughput as threads are added", less the noise of a shared machine.
KEEPS = Goal(at_least=0.9, of="ratio")


def run(options: Options) -> list[Row]:
    """Return the rows of threads, then of processes; the ratio is to one thread or one process."""
    rows: list[Row] = []
    for kind, measure in (("Threads", threads), ("Processes", processes)):
        for name in LIBRARIES:
            first: dict[str, float] = {}
            for count in COUNTS:
                try:
                    rates = measure(name, options.pick(*RECORDS[name]), count)
                except NotInstalledError as error:
                    goal = KEEPS if count > 1 else None
                    rows += missing([name], heading(kind, count, "delivered"), "/s", str(error), goal, kind)
                    continue
                for what, rate in rates.items():
                    ratio = rate / first.setdefault(what, rate)
                    goal = KEEPS if name == "fapilog" and what == "delivered" and count > 1 else None
                    rows.append(
                        Row(
                            name,
                            heading(kind, count, what),
                            rate,
                            "/s",
                            ratio,
                            goal=goal,
                            better="higher",
                            group=kind,
                        )
                    )
    return rows


def heading(kind: str, count: int, what: str) -> str:
    singular = {"Threads": "thread", "Processes": "process"}[kind]
    return f"{count} {singular if count == 1 else kind.lower()}, {what}"


def threads(name: str, n: int, count: int) -> dict[str, float]:
    """Share n records among threads of one process."""
    with null_receiver() as receiver, Worker(name) as worker:
        worker.ask("prepare", endpoint=receiver.endpoint)
        found: dict[str, Any] = worker.ask("throughput", n=n, threads=count)
    prove(name, found)
    return {
        "calls": found["offered"] / found["call_seconds"],
        "delivered": found["offered"] / found["total_seconds"],
    }


def processes(name: str, n: int, count: int) -> dict[str, float]:
    """Share n records among processes that start together; the wall time is that of the slowest."""
    with ExitStack() as stack:
        receiver = stack.enter_context(null_receiver())
        workers = [stack.enter_context(Worker(name)) for _ in range(count)]
        for worker in workers:
            worker.ask("prepare", endpoint=receiver.endpoint)
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
