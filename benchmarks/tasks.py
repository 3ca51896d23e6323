"""What a worker process does when asked: each function is one measurement of one library in this process."""

from __future__ import annotations

import gc
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import baselines
from benchmarks.call_loops import Loop, Stream, in_handler, keyword_loop
from benchmarks.libraries.base import Library
from benchmarks.measure import percentile
from benchmarks.scenarios import BY_NAME, FIVE, ROW_COUNT, Scenario, varied_rows

PAGE_BYTES = resource.getpagesize()
BURST_SECONDS = 0.001


@contextmanager
def active_span() -> Iterator[None]:
    """Make a sampled span current in this thread, as a traced request does."""
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

    context = SpanContext(random.getrandbits(128) | 1, random.getrandbits(64) | 1, False, TraceFlags(1))
    with use_span(NonRecordingSpan(context)):
        yield


def nanos(loop: Loop, n: int) -> float:
    """Return the nanoseconds per call of one run."""
    start = time.perf_counter_ns()
    loop(n)
    return (time.perf_counter_ns() - start) / n


class Costs:
    """The loops of one scenario: the library's and the two baselines, kept so that later rounds are warm."""

    def __init__(self, library: Library, scenario: Scenario) -> None:
        self.library = library
        self.disabled = scenario.level == "debug"
        self.loop = library.call(scenario)
        empty = keyword_loop(baselines.empty, scenario)
        self.empty = in_handler(empty) if scenario.level == "exception" else empty
        declared_fits = scenario.attributes in ({}, FIVE) and scenario.level != "exception"
        self.declared = keyword_loop(baselines.empty_declared, scenario) if declared_fits else None

    def measure(self, n: int, repeats: int) -> dict[str, float | None]:
        """Return the best of `repeats` runs of each loop, run in turns: A B A B."""
        if self.loop is None:
            return {"ns": None, "empty_ns": None, "declared_ns": None}
        ours, empties, declared = [], [], []
        before = self.library.delivered() or 0
        with active_span():
            for _ in range(repeats):
                empties.append(nanos(self.empty, 20_000))
                if self.declared:
                    declared.append(nanos(self.declared, 20_000))
                ours.append(nanos(self.loop, n))
        self.check_delivered(before, 0 if self.disabled else n * repeats)
        return {"ns": min(ours), "empty_ns": min(empties), "declared_ns": min(declared, default=None)}

    def check_delivered(self, before: int, expected: int) -> None:
        """Flush, and refuse a figure for calls whose records went nowhere."""
        self.library.flush()
        delivered = (self.library.delivered() or 0) - before
        if self.library.otlp and delivered < expected:
            raise RuntimeError(
                f"{expected} calls measured, but {delivered} records delivered: check the adapter"
            )


class Tasks:
    """The commands of one worker."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.costs: dict[str, Costs] = {}
        self.rows = varied_rows()
        self.warmed = False

    def prepare(self, endpoint: str | None, hold: bool = False) -> float:
        """Set the library up; return the seconds that it took."""
        start = time.perf_counter()
        self.library.prepare(endpoint, hold=hold)
        return time.perf_counter() - start

    def cost(self, scenario: str, n: int, repeats: int) -> dict[str, float | None]:
        """Return the cost per call beside the empty functions."""
        if scenario not in self.costs:
            self.costs[scenario] = Costs(self.library, BY_NAME[scenario])
        gc.disable()
        try:
            return self.costs[scenario].measure(n, repeats)
        finally:
            gc.enable()

    def latency(self, rate: int, n: int) -> dict[str, Any]:
        """Time each of n calls, in bursts of one millisecond at `rate` per second."""
        stream, rows = self.library.stream(), self.rows
        stream(rows[:512])
        self.library.flush()
        before = self.library.delivered() or 0
        start = time.perf_counter()
        spent = paced_calls(stream, lambda index: rows[index % ROW_COUNT], rate, n)
        seconds = time.perf_counter() - start
        self.library.flush()
        return {
            **percentiles(spent),
            "rate": n / seconds,
            "lost": n - ((self.library.delivered() or 0) - before),
        }

    def numbered(self, rate: int, n: int, first: int) -> dict[str, float]:
        """Time each of n calls at `rate` per second; each carries its own number, from `first` on."""
        rows = self.rows
        return percentiles(
            paced_calls(
                self.library.stream(), lambda index: (first + index, *rows[index % ROW_COUNT][1:]), rate, n
            )
        )

    def burst(self, n: int, first: int) -> dict[str, float]:
        """Log n numbered records as fast as the library takes them, from `first` on."""
        rows = [(first + index, *self.rows[index % ROW_COUNT][1:]) for index in range(n)]
        stream = self.library.stream()
        with active_span():
            start = time.perf_counter()
            stream(rows)
            return {"per_second": n / (time.perf_counter() - start)}

    def flush(self) -> bool:
        """Wait for what was logged, as long as the library does."""
        return self.library.flush()

    def ledger(self) -> dict[str, int]:
        """Return the library's own account; empty when it keeps none."""
        return self.library.ledger()

    def warm(self) -> None:
        """Send the rows once, so that threads run and the connection is open; later calls do nothing."""
        if not self.warmed:
            self.library.stream()(self.rows)
            self.library.flush()
        self.warmed = True

    def throughput(self, n: int, threads: int = 1, rate: int | None = None) -> dict[str, Any]:
        """Log n records from some threads, then wait until all are acknowledged."""
        self.warm()
        stream = self.library.stream()
        before, ledger_before = self.library.delivered() or 0, self.library.ledger()
        share = n // threads
        cpu, start = time.process_time(), time.perf_counter()
        run_threads(threads, lambda: produce(stream, self.rows, share, rate / threads if rate else None))
        called = time.perf_counter() - start
        flushed = self.library.flush()
        total = time.perf_counter() - start
        ledger = {key: value - ledger_before.get(key, 0) for key, value in self.library.ledger().items()}
        return {
            "offered": share * threads,
            "call_seconds": called,
            "total_seconds": total,
            "cpu_cores": (time.process_time() - cpu) / total,
            "delivered": (self.library.delivered() or 0) - before,
            "flushed": flushed,
            "ledger": ledger,
        }

    def memory(self, n: int) -> dict[str, float]:
        """Return the resident bytes per record while n records wait in the queue."""
        stream = self.library.stream()
        gc.collect()
        before = resident_bytes()
        with active_span():
            produce(stream, self.rows, n, None)
        gc.collect()
        return {"bytes_per_record": (resident_bytes() - before) / n}

    def log(self, n: int) -> None:
        """Log n records and return at once."""
        produce(self.library.stream(), self.rows, n, None)

    def close(self) -> None:
        """Shut the library down."""
        self.library.close()


def paced_calls(stream: Stream, row: Callable[[int], Any], rate: int, n: int) -> list[int]:
    """Return the sorted nanoseconds of n calls, in bursts of one millisecond at `rate` per second."""
    burst = max(1, int(rate * BURST_SECONDS))
    spent: list[int] = []
    start = time.perf_counter()
    with active_span():
        for done in range(0, n, burst):
            for index in range(done, min(done + burst, n)):
                rows = [row(index)]
                begin = time.perf_counter_ns()
                stream(rows)
                spent.append(time.perf_counter_ns() - begin)
            pause(start, (done + burst) / rate)
    return sorted(spent)


def percentiles(spent: list[int]) -> dict[str, float]:
    """Return the percentiles of sorted values that the latency tables show."""
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {name: percentile(spent, share) for name, share in shares.items()} | {"max": spent[-1]}


def produce(stream: Stream, rows: list[Any], n: int, rate: float | None) -> None:
    """Log n rows, a new span every `ROW_COUNT`, not faster than `rate` per second."""
    start = time.perf_counter()
    for done in range(0, n, ROW_COUNT):
        with active_span():
            stream(rows if n - done >= ROW_COUNT else rows[: n - done])
        if rate:
            pause(start, (done + ROW_COUNT) / rate)


def pause(start: float, offset: float) -> None:
    """Sleep until `offset` seconds after `start`, unless that is past or too near for a timer."""
    ahead = start + offset - time.perf_counter()
    if ahead > 0.0002:
        time.sleep(ahead)


def run_threads(count: int, function: Callable[[], None]) -> None:
    """Run a function in some threads; one thread is the caller's own."""
    if count == 1:
        function()
        return
    threads = [threading.Thread(target=function) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES
