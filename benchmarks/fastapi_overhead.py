"""What logging a request costs a FastAPI application: requests/s, latency, and microseconds without a server.

Each way of logging requests runs in a process of its own under uvicorn, one worker; the load comes from
another process, over 8 connections. One round visits all ways in turn. `without a server` calls the
application as servers do, without and with the way around it, in turns in one process, and takes the best
round of each. Our part is that difference without spans: correlation id, binding, access record, redaction.
Both applications have FastAPI's own telemetry, which nobody listens to; where a way installs providers for
the process, the bare one has none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.end_to_end import LossError
from benchmarks.fastapi_process import PATH
from benchmarks.fastapi_ways import LEFT_OUT, WAYS
from benchmarks.measure import Goal, Row, missing
from benchmarks.options import Options
from benchmarks.servers import ROOT, null_receiver
from benchmarks.surroundings import clean_environment
from benchmarks.worker import WorkerError

CONNECTIONS = 8
SERVED, ALONE = "Under uvicorn, one worker", "Without a server"
RATE, P50, P99 = "requests/s", "p50", "p99"
ADDED = "added per request"
# Our part alone; what scanning costs is a goal of `redaction`.
GOALS = {"fapilog, keys, no spans": Goal(at_most=20)}


class Process:
    """One way in its process."""

    def __init__(self, kind: str, way: str, endpoint: str, *numbers: int) -> None:
        self.way = way
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fastapi_process", kind, way, endpoint, *map(str, numbers)],
            cwd=ROOT,
            env={**clean_environment(), "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def read(self) -> dict[str, Any]:
        """Wait for the next reply."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.way}: the process ended with status {self.process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def finish(self) -> dict[str, Any]:
        """Let it deliver, and return its last reply."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.read()

    def kill(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def process(kind: str, way: str, endpoint: str, *numbers: int) -> Iterator[Process]:
    """Run one way, and end its process."""
    running = Process(kind, way, endpoint, *numbers)
    try:
        yield running
    finally:
        running.kill()


def run(options: Options) -> list[Row]:
    """Return the rows."""
    with null_receiver() as receiver:
        alone = without_server(receiver.endpoint, options)
        return [*under_uvicorn(receiver.endpoint, options), *alone]


def without_server(endpoint: str, options: Options) -> list[Row]:
    """Microseconds that each way adds to a request."""
    rows: list[Row] = []
    # Rounds of a few milliseconds: some of them nobody disturbs.
    requests, rounds = options.pick((60, 500), (60, 50), (60, 150))
    for way in WAYS:
        if way == "bare app":
            continue
        with process("loop", way, endpoint, requests, rounds) as running:
            found = running.read()
            if "missing" in found:
                rows += missing([way], ADDED, "µs", found["missing"], group=ALONE)
                continue
            prove(way, running.read(), requests * rounds)
        added, ratio = found["micros"] - found["bare_micros"], found["micros"] / found["bare_micros"]
        rows.append(Row(way, ADDED, added, "µs", ratio, goal=GOALS.get(way), group=ALONE))
        calls = added / found["empty_call_micros"]
        rows.append(Row(way, "in calls of an empty function", calls, "", group=ALONE))
        rows.append(Row(way, "bare, same process", found["bare_micros"], "µs", group=ALONE))
    return rows


def under_uvicorn(endpoint: str, options: Options) -> list[Row]:
    """Requests per second and latency of each way; the best round."""
    rounds, seconds = options.pick((5, 3.0), (1, 0.5), (3, 2.0))
    found: dict[str, list[dict[str, float]]] = {}
    absent: dict[str, str] = dict(LEFT_OUT)
    with ExitStack() as stack:
        ports, running = {}, {}
        for way in WAYS:
            started = stack.enter_context(process("serve", way, endpoint))
            reply = started.read()
            if "missing" in reply:
                absent[way] = reply["missing"]
            else:
                ports[way], running[way] = reply["port"], started
        for port in ports.values():
            load(port, 0.3)
        for _ in range(rounds):
            for way, port in ports.items():
                found.setdefault(way, []).append(load(port, seconds))
        for way, started in running.items():
            prove(way, started.finish(), sum(int(one["requests"]) for one in found[way]))
    return rows_of(found) + [
        row
        for way, why in absent.items()
        for row in missing([way], RATE, "/s", f"skipped: {why}" if way in LEFT_OUT else why, group=SERVED)
    ]


def rows_of(found: dict[str, list[dict[str, float]]]) -> list[Row]:
    """Highest rate and lowest percentiles of all rounds, beside those of the bare application."""
    rows: list[Row] = []
    units = {RATE: ("per_second", "/s", max), P50: ("p50_millis", "ms", min), P99: ("p99_millis", "ms", min)}
    for measurement, (key, unit, pick) in units.items():
        best = {way: pick(one[key] for one in rounds) for way, rounds in found.items()}
        for way, value in best.items():
            better = "higher" if measurement == RATE else "lower"
            rows.append(
                Row(way, measurement, value, unit, value / best["bare app"], better=better, group=SERVED)
            )
    return rows


def load(port: int, seconds: float) -> dict[str, float]:
    """Run the load in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.http_load", str(port), f"{PATH}?page=2"]
    done = subprocess.run(
        [*command, str(CONNECTIONS), str(seconds)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60 + seconds,
        check=False,
    )
    if done.returncode:
        raise WorkerError(f"the load failed: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def prove(way: str, account: dict[str, Any], at_least: int) -> None:
    """Fail when a way that can tell did not deliver a record for every request."""
    if account and not account["offered"] == account["delivered"] >= at_least:
        raise LossError(f"{way}: {at_least} requests or more, {account}")


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
