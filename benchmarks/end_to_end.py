"""Log call -> gzip -> OTLP/HTTP -> acknowledged: how many records per second, and at how much CPU.

The redaction is fapilog's default (secret key names, `SecretStr`, credentials in URLs); no peer redacts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.libraries import NotInstalledError
from benchmarks.measure import TIMES, Goal, Row, missing
from benchmarks.options import Options
from benchmarks.servers import collector, collector_binary, null_receiver
from benchmarks.worker import Worker

PEERS = ("otel emit", "otel handler", "logfire")
PACED_RATE = 2_000_000
COLLECTOR_ADVICE = "run python -m tests.servers.otelcol.build (needs Go)"


class LossError(Exception):
    """A run in which not every record arrived proves nothing; it ends the benchmark."""


def run(options: Options) -> list[Row]:
    """Return the rows of all receivers."""
    rows = verified(options)
    for threads in (1, 4):
        rows += unthrottled(options, threads)
    rows += paced(options)
    return rows + real_collector(options)


def count(name: str, options: Options) -> int:
    """Return how many records a library sends: about two seconds of work for each."""
    full, quick = {"fapilog": (8_000_000, 1_000_000), "logfire": (20_000, 5_000)}.get(name, (60_000, 15_000))
    return options.pick(full, quick)


def prove(name: str, found: dict[str, Any]) -> None:
    """Check that everything offered was delivered, by the library's own account."""
    ledger = found["ledger"]
    complete = found["flushed"] and found["delivered"] == found["offered"]
    if ledger:
        complete = complete and ledger["offered"] == ledger["delivered"] == found["offered"]
    if not complete:
        raise LossError(
            f"{name}: offered {found['offered']}, delivered {found['delivered']}, ledger {ledger}"
        )


def send(
    name: str,
    endpoint: str,
    *,
    n: int,
    threads: int = 1,
    rate: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Run one library in a process of its own and prove that nothing was lost."""
    with Worker(name, **environment) as worker:
        worker.ask("prepare", endpoint=endpoint)
        found: dict[str, Any] = worker.ask("throughput", n=n, threads=threads, rate=rate)
    prove(name, found)
    return found


def verified(options: Options) -> list[Row]:
    """Send to a receiver that decodes what it got, and compare its count with the library's."""
    title = "records decoded by the receiver, of those offered"
    rows: list[Row] = []
    for name in ("fapilog", *PEERS):
        n = min(count(name, options), 100_000)
        with null_receiver("verify") as receiver:
            try:
                found = send(name, receiver.endpoint, n=n, threads=2)
            except NotInstalledError as error:
                rows += missing([name], title, "%", str(error), Goal(at_least=100))
                continue
            # The warm-up of `throughput` sends one list of rows before the count begins.
            records = receiver.stats()["records"] - 1024
        if records != found["offered"]:
            raise LossError(f"{name}: offered {found['offered']}, the receiver decoded {records}")
        goal = Goal(at_least=100) if name == "fapilog" else None
        rows.append(Row(name, title, 100.0, "%", goal=goal, better="higher"))
    return rows


def unthrottled(options: Options, threads: int) -> list[Row]:
    """Send as fast as possible; the ratio is to the stock SDK's emit in the same round."""
    title = f"null receiver, {threads} thread{'s' if threads > 1 else ''}"
    goals = {"value": Goal(at_least=4_000_000), "ratio": Goal(at_least=60)} if threads == 1 else {}
    rates: dict[str, list[float]] = {}
    absent: dict[str, str] = {}
    for _ in range(options.pick(3, 1)):
        for name in ("fapilog", *PEERS):
            with null_receiver() as receiver:
                try:
                    found = send(name, receiver.endpoint, n=count(name, options), threads=threads)
                except NotInstalledError as error:
                    absent[name] = str(error)
                    continue
            rates.setdefault(name, []).append(found["offered"] / found["total_seconds"])
    stock = max(rates["otel emit"], default=None) if "otel emit" in rates else None
    rows = [
        row for name, why in absent.items() for row in missing([name], title, "/s", why, goals.get("value"))
    ]
    for name, found_rates in rates.items():
        ratio = max(found_rates) / stock if stock else None
        for key in ("value", "ratio") if name == "fapilog" and goals else ("value",):
            rows.append(
                Row(
                    name,
                    title if key == "value" else f"{title}, multiple of otel emit",
                    max(found_rates) if key == "value" else ratio,
                    "/s" if key == "value" else TIMES,
                    ratio if key == "value" else None,
                    goal=goals.get(key) if name == "fapilog" else None,
                    note="sends spans, not log records" if name == "logfire" else "",
                    headline=threads == 1 and key == "value",
                    better="higher",
                )
            )
    return rows


def paced(options: Options) -> list[Row]:
    """Send 2 M records/s and measure the processor time; no peer can reach the rate."""
    title = f"CPU cores at {PACED_RATE // 1_000_000} M/s"
    group = "Paced"
    goal = Goal(at_most=1.0)
    rows: list[Row] = []
    for threads in (1, 4):
        with null_receiver() as receiver:
            try:
                found = send(
                    "fapilog",
                    receiver.endpoint,
                    n=options.pick(8_000_000, 2_000_000),
                    threads=threads,
                    rate=PACED_RATE,
                )
            except NotInstalledError as error:
                rows += missing(["fapilog"], f"{title}, threads: {threads}", "cores", str(error), goal, group)
                continue
        reached = found["offered"] / found["call_seconds"]
        short = f"only {reached:,.0f}/s reached" if reached < 0.97 * PACED_RATE else ""
        label = f"{title}, threads: {threads}"
        rows.append(Row("fapilog", label, found["cpu_cores"], "cores", goal=goal, note=short, group=group))
    return rows


def real_collector(options: Options) -> list[Row]:
    """Send into the OpenTelemetry Collector, which counts what it accepted in its debug exporter."""
    title = "real Collector, 1 thread"
    binary = collector_binary()
    if binary is None:
        print(f"SKIPPED: {title}: no Collector; {COLLECTOR_ADVICE}", flush=True)
        return missing(("fapilog", *PEERS[:2]), title, "/s", f"skipped: no Collector; {COLLECTOR_ADVICE}")
    rows: list[Row] = []
    for name in ("fapilog", *PEERS[:2]):
        n = options.pick(2_000_000, 200_000) if name == "fapilog" else count(name, options)
        with collector(binary) as server:
            try:
                found = send(name, server.endpoint, n=n)
            except NotInstalledError as error:
                rows += missing([name], title, "/s", str(error))
                continue
            records = server.collector_records() - 1024
        if records != found["offered"]:
            raise LossError(f"{name}: offered {found['offered']}, the Collector counted {records}")
        note = "the Collector shares the two cores and is the bottleneck" if name == "fapilog" else ""
        rows.append(
            Row(name, title, found["offered"] / found["total_seconds"], "/s", note=note, better="higher")
        )
    return rows


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
