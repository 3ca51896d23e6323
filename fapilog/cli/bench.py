"""`fapilog bench`: what a log call costs here, and how many records a second arrive. Loopback only.

Times of one machine say little; the ratios do. The unit of a call is an empty Python function called alike;
that of delivery is the stock OpenTelemetry SDK at the same receiver. `make bench` measures much more.
"""

from __future__ import annotations

import logging
import subprocess  # nosec B404 - starts this interpreter with a module of ours
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Annotated, Any

import typer
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider as StockLoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.util.types import AnyValue

import fapilog
from fapilog.cli.loopback import HOST, only_loopback
from fapilog.settings import Settings
from fapilog.telemetry import Telemetry

Loop = Callable[[int], None]

_FLUSH_TIMEOUT_MILLIS = 120_000
_END_TIMEOUT_SECONDS = 30.0


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the records, for a first look.")] = False,
) -> None:
    """Measure the cost of a call and the delivered records per second, as ratios; loopback only."""
    calls, rounds = (20_000, 5) if quick else (20_000, 25)
    records, stock_records = (400_000, 4_000) if quick else (4_000_000, 40_000)
    with receiver() as endpoint, only_loopback(endpoint), configured(endpoint) as telemetry:
        log = fapilog.get_logger("bench")
        costs = caller_costs(log, calls, rounds)
        typer.echo("One call with 5 attributes inside a span")
        for name, nanos in costs.items():
            typer.echo(f"  {name:<34}{nanos:>10,.0f} ns{nanos / costs['empty function']:>10.2f} x")
        if not telemetry.force_flush(_FLUSH_TIMEOUT_MILLIS):
            raise typer.Exit(_say("the receiver did not acknowledge what was logged so far"))
        ours = delivered_per_second(telemetry, log, records)
        stock = stock_per_second(endpoint, stock_records)
    typer.echo("\nFrom the call to the acknowledgement, OTLP/HTTP with gzip, one thread")
    for name, rate in (("opentelemetry-sdk", stock), ("fapilog", ours)):
        typer.echo(f"  {name:<34}{rate:>10,.0f} /s{rate / stock:>10.1f} x")


@contextmanager
def receiver() -> Iterator[str]:
    """Run the receiver in a process of its own; its base URL."""
    command = [sys.executable, "-m", "fapilog.cli.bench_receiver"]
    with subprocess.Popen(  # noqa: S603  # nosec B603 - no word of it comes from outside
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"http://{HOST}:{int(process.stdout.readline() if process.stdout else 0)}"
        finally:
            process.communicate(timeout=_END_TIMEOUT_SECONDS)


@contextmanager
def configured(endpoint: str) -> Iterator[Telemetry]:
    """Configure as a service does; `wait`, so that what was offered must arrive."""
    settings = Settings.load(
        exporters=("otlp",),
        otlp={"endpoint": f"{endpoint}/v1/logs"},
        buffer={"overflow": "wait", "wait_timeout_millis": _FLUSH_TIMEOUT_MILLIS},
        capture_stdlib=False,
    )
    with fapilog.configure_otel(settings=settings) as telemetry:
        yield telemetry


def empty(message: str, **attributes: Any) -> None:
    """Do nothing: the unit of a call's cost."""


def caller_costs(log: fapilog.Logger, calls: int, rounds: int) -> dict[str, float]:
    """Return nanoseconds per call, the best of several rounds in turns, so that all see the same machine."""
    stdlib = logging.getLogger("fapilog.bench")
    stdlib.propagate = False
    stdlib.setLevel(logging.INFO)
    stdlib.handlers = [logging.NullHandler()]
    loops: dict[str, Loop] = {
        "empty function": _loop(empty),
        "fapilog, below the level": _loop(log.debug),
        "fapilog": _loop(log.info),
        "logging with a NullHandler": _stdlib_loop(stdlib.info),
    }
    best = dict.fromkeys(loops, float("inf"))
    span = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False, trace_flags=trace.TraceFlags(1)))
    with trace.use_span(span):
        for name in list(loops) * rounds:
            started = time.perf_counter_ns()
            loops[name](calls)
            best[name] = min(best[name], (time.perf_counter_ns() - started) / calls)
    return best


def _loop(function: Callable[..., object]) -> Loop:
    """Return a loop with a code object of its own: CPython specialises byte code in place."""

    def run(calls: int) -> None:
        f = function
        for _ in repeat(None, calls):
            f(
                "order placed",
                user_id=42,
                path="/api/v1/orders",
                status=200,
                duration_ms=12.5,
                region="eu-west-1",
            )

    return _own_code(run)


def _stdlib_loop(function: Callable[..., object]) -> Loop:
    def run(calls: int) -> None:
        f, extra = (
            function,
            {"user_id": 42, "path": "/api/v1/orders", "status": 200, "duration_ms": 12.5, "region": "eu"},
        )
        for _ in repeat(None, calls):
            f("order placed", extra=extra)

    return _own_code(run)


def _own_code(loop: Any) -> Loop:
    loop.__code__ = loop.__code__.replace()
    result: Loop = loop
    return result


def delivered_per_second(telemetry: Telemetry, log: fapilog.Logger, records: int) -> float:
    """Return acknowledged records per second.

    Raises:
        typer.Exit: Not everything arrived; then a rate would be a lie.
    """
    before = telemetry.ledger().exporters["otlp"].delivered
    run = _loop(log.info)
    started = time.perf_counter()
    run(records)
    flushed = telemetry.force_flush(_FLUSH_TIMEOUT_MILLIS)
    seconds = time.perf_counter() - started
    delivered = telemetry.ledger().exporters["otlp"].delivered - before
    if not flushed or delivered != records:
        raise typer.Exit(
            _say(f"{records} records were offered and {delivered} delivered: {telemetry.ledger()}")
        )
    return records / seconds


def stock_per_second(endpoint: str, records: int) -> float:
    """Return the same of the stock SDK: its emit, its batch processor, its OTLP exporter with gzip."""
    provider = StockLoggerProvider(shutdown_on_exit=False)
    exporter = OTLPLogExporter(f"{endpoint}/v1/logs", compression=Compression.Gzip)
    # A queue that holds everything: the default one would drop most of it and look fast.
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=records))
    emit = provider.get_logger("bench").emit
    attributes: dict[str, AnyValue] = {
        "user_id": 42,
        "path": "/api/v1/orders",
        "status": 200,
        "duration_ms": 12.5,
        "region": "eu-west-1",
    }
    started = time.perf_counter()
    for _ in repeat(None, records):
        emit(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="order placed",
            attributes=dict(attributes),
        )
    provider.force_flush(_FLUSH_TIMEOUT_MILLIS)
    seconds = time.perf_counter() - started
    provider.shutdown()
    return records / seconds


def _say(what: str) -> int:
    typer.echo(f"fapilog bench: {what}", err=True)
    return 1
