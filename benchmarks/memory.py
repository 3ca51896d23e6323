"""Resident bytes per record that waits in the queue while the receiver does not answer."""

from __future__ import annotations

from benchmarks.libraries import NotInstalledError
from benchmarks.measure import Goal, Row, best, missing
from benchmarks.options import Options
from benchmarks.servers import null_receiver
from benchmarks.worker import Worker

TITLE = "bytes per queued record"
GOAL = Goal(at_most=60)
SAVING_TITLE = "saving against otel emit"
SAVING_GOAL = Goal(at_least=90)
# A logfire call costs 70 us and its queue is as large: a quarter of the records says the same.
SLOW = ("logfire",)
LIBRARIES = ("fapilog", "otel emit", "otel handler", "stdlib queue", "logfire")


def count(name: str, options: Options) -> int:
    """Return how many records wait in the queue."""
    return options.pick(200_000, 50_000) // (4 if name in SLOW else 1)


def run(options: Options) -> list[Row]:
    """Measure each library in a fresh process, in turns, and keep the smallest growth."""
    found: dict[str, list[float]] = {}
    rows: list[Row] = []
    for _ in range(options.pick(3, 1)):
        for name in LIBRARIES:
            with null_receiver("hold") as receiver:
                try:
                    worker = Worker(name, FAPILOG_BUFFER_BYTES=str(512 * 1024 * 1024))
                except NotInstalledError as error:
                    if name not in {row.library for row in rows}:
                        rows += missing([name], TITLE, "B", str(error), GOAL)
                    continue
                with worker:
                    worker.ask("prepare", endpoint=receiver.endpoint, hold=True)
                    found.setdefault(name, []).append(
                        worker.ask("memory", n=count(name, options))["bytes_per_record"]
                    )
    for name, values in found.items():
        goal = GOAL if name == "fapilog" else None
        rows.append(Row(name, TITLE, best(values), "B", goal=goal, headline=True))
    if {"fapilog", "otel emit"} <= set(found):
        saving = 100 * (1 - best(found["fapilog"]) / best(found["otel emit"]))
        rows.append(Row("fapilog", SAVING_TITLE, saving, "%", goal=SAVING_GOAL, better="higher"))
    return rows


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
