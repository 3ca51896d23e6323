"""Records per second from the log call to a collector of Splunk events that takes everything, in one process.

The collector is a process of its own; it unpacks what it gets and counts the events. Beside it stands the
OpenTelemetry Collector with its exporter `splunk_hec`, fed over OTLP by fapilog: what most people run. CPU is
that of the process that makes the events: application and exporter here, the Collector there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fapilog
from benchmarks.measure import Goal, Row, missing
from benchmarks.options import Options

SIZES = (300_000, 10_000)
ROUNDS = (3, 1)
GROUP = "Delivered to Splunk"
RATE, CPU = "records per second", "CPU per record"
GOAL = Goal(at_least=300_000)
ATTRIBUTES: dict[str, Any] = {
    "order_id": 42,
    "amount": 12.5,
    "currency": "EUR",
    "customer": "c-1017",
    "express": True,
}
TOKEN = "not-a-token"
PATIENCE_SECONDS = 300.0


def run(options: Options) -> list[Row]:
    """Return rate and CPU of fapilog and of the Collector."""
    rows: list[Row] = []
    count, rounds = options.pick(*SIZES), options.pick(*ROUNDS)
    with null_collector() as port:
        figures = [to_splunk(port, count) for _ in range(rounds)]
        rows += made("fapilog splunk_hec", figures, GOAL, "application and exporter in one process")
        binary = collector_binary()
        if binary is None:
            return [*rows, *missing(["Collector splunk_hec"], RATE, "/s", "it is not built", group=GROUP)]
        figures = [through_collector(binary, port, count) for _ in range(rounds)]
        note = "0.144, fed by fapilog over OTLP; the application's CPU comes on top"
        return [*rows, *made("Collector splunk_hec", figures, None, note)]


def made(library: str, figures: list[tuple[float, float]], goal: Goal | None, note: str) -> list[Row]:
    """Make the rows of one library: the best of its rounds."""
    rate, micros = max(rate for rate, _ in figures), min(micros for _, micros in figures)
    return [
        Row(library, RATE, rate, "/s", goal=goal, note=note, better="higher", group=GROUP),
        Row(library, CPU, micros, "us", note=note, better="lower", group=GROUP),
    ]


def to_splunk(port: int, count: int) -> tuple[float, float]:
    """One round of ours: records per second, microseconds of CPU for each."""
    from fapilog_exporter_splunk import SplunkHecExporter

    exporter = SplunkHecExporter(url=f"http://127.0.0.1:{port}", token=TOKEN)
    provider = fapilog.LoggerProvider(settings=settings(), exporters=[exporter])
    cpu = time.process_time()
    seconds = log_and_wait(provider, port, count)
    cpu = time.process_time() - cpu
    provider.shutdown()
    return count / seconds, cpu / count * 1e6


def through_collector(binary: Path, port: int, count: int) -> tuple[float, float]:
    """One round of the Collector between."""
    from tests.servers.collector import Collector

    exporter = {
        "endpoint": f"http://127.0.0.1:{port}/services/collector",
        "token": TOKEN,
        "max_content_length_logs": 1_000_000,
    }
    extra = {
        "exporters": {"splunk_hec": exporter},
        "service": {"pipelines": {"logs": {"exporters": ["splunk_hec"]}}},
    }
    with tempfile.TemporaryDirectory() as folder, Collector(binary, Path(folder), extra=extra) as collector:
        given = settings(otlp={"endpoint": collector.logs_endpoint})
        provider = fapilog.LoggerProvider(settings=given, exporters=["otlp"])
        cpu = cpu_seconds(collector.pid)
        seconds = log_and_wait(provider, port, count)
        cpu = cpu_seconds(collector.pid) - cpu
        provider.shutdown()
    return count / seconds, cpu / count * 1e6


def settings(**given: Any) -> fapilog.Settings:
    """Return settings with room for all records, so that only speed decides."""
    buffer = {"limit_bytes": 512 << 20, "overflow": "wait", "wait_timeout_millis": 120_000}
    return fapilog.Settings.load(environ={}, buffer=buffer, capture_location="never", **given)


def log_and_wait(provider: fapilog.LoggerProvider, port: int, count: int) -> float:
    """Log, and return the seconds until the collector has all."""
    log = provider.logger("orders")
    wanted = events_at(port) + count
    start = time.perf_counter()
    for _ in range(count):
        log.info("order placed", **ATTRIBUTES)
    provider.force_flush(int(PATIENCE_SECONDS * 1_000))
    while events_at(port) < wanted:
        if time.perf_counter() - start > PATIENCE_SECONDS:
            raise RuntimeError(f"{wanted - events_at(port)} of {count} records did not arrive")
        time.sleep(0.005)
    return time.perf_counter() - start


def events_at(port: int) -> int:
    """Ask the collector how many events it has."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        return int(answer.read())


@contextmanager
def null_collector() -> Iterator[int]:
    """Run the collector; yield its port."""
    command = [sys.executable, "-m", "benchmarks.null_hec"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def collector_binary() -> Path | None:
    """Return the Collector if it is built."""
    from tests.servers.otelcol.build import binary_path

    path = binary_path()
    return path if path.exists() else None


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
