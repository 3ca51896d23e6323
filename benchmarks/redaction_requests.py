"""What redaction costs a request of FastAPI, in machine instructions.

An instrumented application is awaited as ASGI servers do it: no server, no socket, no other thread is in the
count. One request makes one server span with FastAPI's attributes and one log record; the span ends in an
exporter that keeps nothing, the record in the buffer.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.instructions import MissingToolError, main_thread_total
from benchmarks.measure import Row, missing
from benchmarks.options import Options
from benchmarks.servers import ROOT
from benchmarks.surroundings import clean_environment

GROUP = "Instructions per request of FastAPI, 1 span and 1 record"
POLICIES = ("keys", "scan")
REQUESTS = 200
TIMEOUT_SECONDS = 300.0
LABEL = "instructions per request"


def application() -> Any:
    """An instrumented application with one route that logs."""
    import fastapi
    from opentelemetry import trace
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    import fapilog

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 (that is its point)
            return SpanExportResult.SUCCESS

    fapilog.configure_otel(service_name="benchmark")
    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(SimpleSpanProcessor(Nowhere()))
    log = fapilog.get_logger("shop")
    app = fastapi.FastAPI()

    @app.get("/orders/{order}")
    async def order(order: int) -> dict[str, int]:
        log.info("order read", order=order, region="eu-west-1", customer="c-1029")
        return {"order": order}

    FastAPIInstrumentor.instrument_app(app)
    return app


async def serve(app: Any, requests: int) -> None:
    """Make so many requests, one after the other."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"the application answered {message['status']}, not 200")

    for _ in range(requests):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/orders/42",
            "raw_path": b"/orders/42",
            "query_string": b"page=2",
            "root_path": "",
            "headers": [(b"host", b"shop.example"), (b"user-agent", b"benchmark/1")],
            "client": ("203.0.113.7", 5123),
            "server": ("shop.example", 80),
        }
        await app(scope, receive, send)


def main(requests: int) -> None:
    """Warm up, make the requests, and leave without a shutdown."""
    asyncio.run(serve_all(application(), requests))
    os._exit(0)


async def serve_all(app: Any, requests: int) -> None:
    """Twenty to warm up, then those that count."""
    await serve(app, 20)
    await serve(app, requests)


def counted(policy: str, requests: int) -> int:
    """Return the instructions of the main thread of one run."""
    from shutil import which

    valgrind = which("valgrind")
    if valgrind is None:
        raise MissingToolError("valgrind is not installed: apt-get install valgrind")
    environment = {
        **clean_environment(),
        "PYTHONHASHSEED": "0",
        "FAPILOG_REDACTION": policy,
        "FAPILOG_OVERFLOW": "drop_oldest",
        "FAPILOG_EXPORTERS": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [
            valgrind,
            "--tool=callgrind",
            "--separate-threads=yes",
            f"--callgrind-out-file={folder}/out",
        ]
        command += [sys.executable, "-m", "benchmarks.redaction_requests", str(requests)]
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=TIMEOUT_SECONDS
        )
        return main_thread_total(Path(folder))


def run(options: Options) -> list[Row]:
    """Return the rows, or one that says why there are none."""
    requests = options.pick(REQUESTS, 50)
    rows: list[Row] = []
    try:
        import fastapi  # noqa: F401
        import opentelemetry.instrumentation.fastapi  # noqa: F401
    except ImportError as error:
        return missing(["fapilog"], LABEL, "", f"not installed: {error}", group=GROUP)
    try:
        for policy in POLICIES:
            one = (counted(policy, 2 * requests) - counted(policy, requests)) / requests
            rows.append(
                Row(
                    f"fapilog, {policy}",
                    LABEL,
                    one,
                    "",
                    one / (rows[0].value or one) if rows else 1.0,
                    group=GROUP,
                )
            )
    except MissingToolError as error:
        print(f"SKIPPED: {GROUP}: {error}", flush=True)
        return missing(["fapilog"], LABEL, "", f"skipped: {error}", group=GROUP)
    return rows


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].isdigit():
        main(int(sys.argv[1]))
    else:
        from benchmarks.report import print_rows

        print_rows(run(Options.from_arguments()))
