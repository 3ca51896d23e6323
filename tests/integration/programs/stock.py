"""Makes a record, a span and a metric, flushes or shuts down, and prints the answer and its seconds."""

import sys
import time

from opentelemetry import metrics, trace

import fapilog

telemetry = fapilog.configure_otel(buffer={"schedule_delay_millis": 60_000, "shutdown_timeout_millis": 500})
with trace.get_tracer("orders").start_as_current_span("order"):
    fapilog.get_logger("orders").info("order")
metrics.get_meter("orders").create_counter("orders").add(1)
began = time.monotonic()
match sys.argv[1]:
    case "flush":
        answer = telemetry.force_flush(500)
    case "shutdown":
        answer = telemetry.shutdown()
    case _:
        answer = None
print(answer, time.monotonic() - began, flush=True)
