"""What is lost, what arrives twice and what a call costs while the receiver fails, beside the stock SDK.

One thread logs numbered records at a steady rate; for the middle half of the time the receiver refuses
connections, answers 503 or 429, closes without an answer, or takes a quarter of a second per request. Then
it is well again, and each library may flush for as long as it wants. Both have their defaults: fapilog a
buffer of 64 MiB, the SDK a queue of 2,048 records. The receiver counts the numbers. Latencies are those of
the calls during the fault.
"""

from __future__ import annotations

from typing import Any

from benchmarks.fault_receiver import FaultReceiver, fault_receiver
from benchmarks.libraries import DEFAULTS, NotInstalledError
from benchmarks.measure import Goal, Row, missing
from benchmarks.options import Options
from benchmarks.worker import Worker

RATE = 10_000
FAULTS = {
    "refused": "connections refused",
    "503": "answers 503",
    "429": "answers 429, Retry-After 1 s",
    "cut": "takes the records and closes without an answer",
    "slow": "250 ms per request",
}
LABELS = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}
# Half of a run is the fault: 4 s, or 1 s.
SECONDS = (8, 2)


class UncountedLossError(Exception):
    """fapilog lost something that its ledger does not show."""


def run(options: Options) -> list[Row]:
    """Return losses, duplicates and latencies of each fault and library."""
    rows: list[Row] = []
    for fault, title in FAULTS.items():
        group = f"{title}, {RATE:,} calls/s"
        for library in ("fapilog", DEFAULTS):
            try:
                worker = Worker(library, FAPILOG_OVERFLOW="drop_oldest")
            except NotInstalledError as error:
                rows += missing([library], "records lost", "", str(error), group=group)
                continue
            with worker, fault_receiver() as receiver:
                rows += _rows(library, group, measure(worker, receiver, fault, options.pick(*SECONDS)))
    return rows


def measure(worker: Worker, receiver: FaultReceiver, fault: str, seconds: int) -> dict[str, Any]:
    """Log before, during and after the fault; return what arrived and what the calls of the fault took."""
    quarter = RATE * seconds // 4
    worker.ask("prepare", endpoint=receiver.endpoint)
    worker.ask("numbered", rate=RATE, n=quarter, first=0)
    receiver.tell(f"fault {fault}")
    found: dict[str, Any] = worker.ask("numbered", rate=RATE, n=2 * quarter, first=quarter)
    receiver.tell("heal")
    worker.ask("numbered", rate=RATE, n=quarter, first=3 * quarter)
    worker.ask("flush")
    ledger = worker.ask("ledger")
    worker.ask("close")
    arrived = receiver.tell("stats")
    found["lost"] = 4 * quarter - arrived["distinct"]
    found["duplicates"] = arrived["records"] - arrived["distinct"]
    if ledger and ledger["dropped"] + ledger["rejected"] != found["lost"]:
        raise UncountedLossError(f"{found['lost']} records did not arrive, the ledger says {ledger}")
    return found


def _rows(library: str, group: str, found: dict[str, Any]) -> list[Row]:
    ours = library == "fapilog"
    counts = {"records lost": found["lost"], "records twice": found["duplicates"]}
    rows = [
        Row(library, label, count, "", goal=Goal(at_most=0) if ours else None, group=group)
        for label, count in counts.items()
    ]
    for key, label in LABELS.items():
        goal = Goal(at_most=5.0) if ours and key == "p99" else None
        rows.append(Row(library, label, found[key] / 1_000, "µs", goal=goal, group=group))
    return rows


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
