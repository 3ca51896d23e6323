"""Logs while the disk of the spool does not answer any more; `HANG` names the file that makes it so."""

import os
import sys
import time
from pathlib import Path

import fapilog

way, records = sys.argv[1], int(sys.argv[2])
telemetry = fapilog.configure_otel(
    "shop",
    capture_location="never",
    buffer={
        "limit_bytes": 1 << 20,
        "chunk_bytes": 1 << 14,
        "record_bytes": 1 << 12,
        "schedule_delay_millis": 20,
        "shutdown_timeout_millis": 300,
    },
    otlp={"compression": "none", "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 50}},
)
log = fapilog.get_logger("orders")


def spooled() -> int:
    return telemetry.ledger().exporters["otlp"].spooled


def fill(enough: int) -> None:
    while spooled() < enough:
        log.info("filling", padding="x" * 500)


fill(100)
Path(os.environ["HANG"]).touch()
# The spool's thread hangs in a write from now on, or as soon as it writes.
began = time.monotonic()
for number in range(records):
    log.error(str(number), padding="x" * 500)
flushed = telemetry.force_flush(200)
called = time.monotonic() - began
print("called", flushed, called < 10, flush=True)
if way == "fork":
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(20)
        os._exit(0)
    print("forked", flush=True)
    sys.stdin.readline()
elif way == "deliver":
    print("ready", flush=True)
    sys.stdin.readline()
    before = telemetry.ledger().exporters["otlp"].delivered
    while telemetry.ledger().exporters["otlp"].delivered <= before:
        time.sleep(0.01)
    print("delivers", flush=True)
    Path(os.environ["HANG"]).unlink()
    telemetry.shutdown(30_000)
else:
    began = time.monotonic()
    telemetry.shutdown(300)
    side = telemetry.ledger().exporters["otlp"]
    lost = sum(side.dropped.values())
    print(time.monotonic() - began < 10, telemetry.ledger().balanced, lost > 0, flush=True)
    os._exit(0)
