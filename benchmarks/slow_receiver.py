"""What is lost and how many requests it takes while a receiver is slow, narrow or limits requests.

One thread logs numbered records at a steady rate; the receiver never gets better. Then each library may flush
for as long as it wants. fapilog runs with `otlp.adaptive` and without it, both with a buffer of 1 MiB in
chunks of 128 KiB, so that a few seconds fill it; the SDK has its default queue of 2,048 records. The
receiver counts numbers and requests, those that it refuses included. Latencies are those of the calls.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.fault_receiver import fault_receiver
from benchmarks.libraries import DEFAULTS, NotInstalledError
from benchmarks.measure import Goal, Row, missing
from benchmarks.options import Options
from benchmarks.worker import Worker

RATE = 10_000
RECEIVERS = {
    "slowly 0.2": "200 ms per request",
    "slowly 1": "1 s per request",
    "limited 2 1": "2 requests/s, then 429 with Retry-After: 1",
    "limited 5": "5 requests/s, then 429",
    "narrow 200000": "200 kB/s of compressed requests",
}
SMALL_BUFFER = {
    "FAPILOG_OVERFLOW": "drop_oldest",
    "FAPILOG_BUFFER_BYTES": str(1024 * 1024),
    "FAPILOG_CHUNK_BYTES": str(128 * 1024),
}
OTHER = "OpenTelemetry SDK"
VARIANTS = {
    "fapilog": ("fapilog", {**SMALL_BUFFER, "FAPILOG_OTLP_ADAPTIVE": "true"}),
    "fapilog, adaptive off": ("fapilog", {**SMALL_BUFFER, "FAPILOG_OTLP_ADAPTIVE": "false"}),
    OTHER: (DEFAULTS, {}),
}
LABELS = {"p50": "p50", "p99": "p99"}
SECONDS = (8, 2)


def run(options: Options) -> list[Row]:
    """Return losses, duplicates, requests and latencies of each receiver and variant."""
    rows: list[Row] = []
    for receiver, title in RECEIVERS.items():
        group = f"{title}, {RATE:,} calls/s"
        found: dict[str, dict[str, Any]] = {}
        for variant, (library, environment) in VARIANTS.items():
            try:
                worker = Worker(library, **environment)
            except NotInstalledError as error:
                rows += missing([variant], "records lost", "", str(error), group=group)
                continue
            with worker:
                found[variant] = measure(worker, receiver, RATE * options.pick(*SECONDS))
        # In the same run, ours loses no more than the other.
        most = found.get(OTHER, {}).get("lost")
        for variant, figures in found.items():
            rows += _rows(variant, group, figures, most if variant == "fapilog" else None)
    return rows


def measure(worker: Worker, answer: str, records: int) -> dict[str, Any]:
    """Log, flush, and return what arrived."""
    with fault_receiver() as receiver:
        worker.ask("prepare", endpoint=receiver.endpoint)
        receiver.tell(f"answer {answer}")
        begun = time.monotonic()
        found: dict[str, Any] = worker.ask("numbered", rate=RATE, n=records, first=0)
        worker.ask("flush")
        seconds = time.monotonic() - begun
        worker.ask("close")
        arrived = receiver.tell("stats")
    found["lost"] = records - arrived["distinct"]
    found["duplicates"] = arrived["records"] - arrived["distinct"]
    found["requests"] = arrived["requests"]
    found["delivered"] = round(arrived["distinct"] / seconds)
    return found


def _rows(variant: str, group: str, found: dict[str, Any], most_lost: int | None) -> list[Row]:
    counts = {
        "records lost": (found["lost"], ""),
        "records twice": (found["duplicates"], ""),
        "requests": (found["requests"], ""),
        "delivered": (found["delivered"], "/s"),
    }
    goals = {} if most_lost is None else {"records lost": Goal(at_most=most_lost)}
    rows = [
        Row(
            variant,
            label,
            count,
            unit,
            goal=goals.get(label),
            better="higher" if label == "delivered" else "lower",
            group=group,
        )
        for label, (count, unit) in counts.items()
    ]
    for key, label in LABELS.items():
        goal = Goal(at_most=5.0) if variant == "fapilog" and key == "p99" else None
        rows.append(Row(variant, label, found[key] / 1_000, "µs", goal=goal, group=group))
    return rows


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
