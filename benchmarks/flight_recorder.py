"""What the flight recorder costs: a kept call beside one that is filtered and one that is exported.

Every figure comes from one process per state of the recorder, which exports to a receiver that throws away.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.baselines import empty
from benchmarks.call_loops import keyword_loop
from benchmarks.measure import Row
from benchmarks.options import Options
from benchmarks.scenarios import BY_NAME, FIVE
from benchmarks.servers import ROOT, null_receiver
from benchmarks.surroundings import clean_environment
from benchmarks.tasks import PAGE_BYTES, active_span, nanos

PROGRAM_TIMEOUT_SECONDS = 300.0
OFF, ON = "recorder off", "recorder on"
# Records of one request: between them and the next one its trace ends.
REQUEST_RECORDS = 20
THREADS = (1, 4)
COLUMNS = {
    "disabled": "DEBUG, 5 attributes, in a span",
    "outside": "DEBUG, 5 attributes, outside of spans",
    "trace": "TRACE, below the recorder's level",
    "five": "INFO, 5 attributes, in a span",
}


def run(options: Options) -> list[Row]:
    """Return the rows of both states, of threads, and of memory."""
    with null_receiver() as receiver:
        found = {state: program(receiver.endpoint, state == ON, options) for state in (OFF, ON)}
    rows = []
    for state, figures in found.items():
        for key, title in COLUMNS.items():
            value = figures[key]
            rows.append(Row(state, title, value, "ns", value / figures["empty"], group="Calls"))
    on = found[ON]
    request = f"a request with {REQUEST_RECORDS} DEBUG records and its end"
    rows.append(Row(ON, request, on["request"] / 1_000, "µs", group="Requests"))
    for count in THREADS:
        rate = on[f"threads_{count}"]
        title = f"{count} thread{'s' if count > 1 else ''} in requests of their own"
        ratio = rate / on["threads_1"]
        rows.append(Row(ON, title, rate, "/s", ratio, better="higher", group="Threads"))
    rows.append(Row(ON, "most that was held", on["held"] / 1_048_576, "MiB", group="Memory of 16 MiB"))
    rows.append(Row(ON, "growth of the process", on["grown"] / 1_048_576, "MiB", group="Memory of 16 MiB"))
    return rows


def program(endpoint: str, on: bool, options: Options) -> dict[str, float]:
    """Measure in a process of its own."""
    variables = {
        "FAPILOG_EXPORTERS": "otlp",
        "FAPILOG_FLIGHT_RECORDER": str(on).lower(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    }
    command = [sys.executable, "-m", "benchmarks.flight_recorder", str(options.pick(5, 2))]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_SECONDS,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(repeats: int) -> dict[str, float]:
    """Measure this process's configuration."""
    import fapilog

    telemetry = fapilog.configure_otel("benchmark")
    log = fapilog.get_logger("shop")
    figures: dict[str, float] = {}
    scenario = BY_NAME["five"]
    loops = {
        "empty": keyword_loop(empty, scenario),
        "disabled": keyword_loop(log.debug, scenario),
        "outside": keyword_loop(log.debug, scenario),
        "trace": keyword_loop(log.trace, scenario),
        "five": keyword_loop(log.info, scenario),
    }
    for _ in range(repeats):
        for key, loop in loops.items():
            with ExitStack() as stack:
                if key != "outside":
                    stack.enter_context(active_span())
                took = nanos(loop, 20_000)
            figures[key] = min(took, figures.get(key, took))
        telemetry.force_flush(60_000)
    if telemetry.settings.flight_recorder.enabled:
        figures |= measure_requests(log, repeats) | measure_memory(telemetry, log)
    telemetry.shutdown()
    return figures


def measure_requests(log: Any, repeats: int) -> dict[str, float]:
    """Time whole requests that end well, on one thread and on several."""
    figures = {}
    best = min(spent(log, 500) for _ in range(repeats))
    figures["request"] = best / 500 * 1e9
    for count in THREADS:
        rates = []
        for _ in range(repeats):
            threads = [threading.Thread(target=requests, args=(log, 500)) for _ in range(count)]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rates.append(count * 500 * REQUEST_RECORDS / (time.perf_counter() - start))
        figures[f"threads_{count}"] = max(rates)
    return figures


def spent(log: Any, count: int) -> float:
    start = time.perf_counter()
    requests(log, count)
    return time.perf_counter() - start


def requests(log: Any, count: int) -> None:
    """Handle so many requests, each with a span and DEBUG records."""
    from opentelemetry import trace

    tracer = trace.get_tracer("shop")
    for _ in range(count):
        with tracer.start_as_current_span("GET /"):
            for _ in range(REQUEST_RECORDS):
                log.debug("order placed", **FIVE)


def measure_memory(telemetry: Any, log: Any) -> dict[str, float]:
    """Keep far more than fits, in traces that never end."""
    before, held = resident(), 0
    for number in range(20_000):
        with active_span():
            for _ in range(REQUEST_RECORDS):
                log.debug("order placed", **FIVE)
        if number % 500 == 0:
            stats = telemetry.logger_provider.pipeline.exporter_stats()
            held = max(held, stats["memory"]["flight_recorder_bytes"])
    return {"held": held, "grown": resident() - before}


def resident() -> int:
    """Return the memory of this process that is in RAM, in bytes."""
    statm = Path("/proc/self/statm").read_text(encoding="ascii")
    return int(statm.split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
