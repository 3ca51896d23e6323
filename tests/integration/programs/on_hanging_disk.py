"""Logs while the disk of the spool does not answer any more; `HANG` names the file that makes it so."""

import os
import sys
import time
from pathlib import Path

from small_spool import configure

import fapilog

way, records = sys.argv[1], int(sys.argv[2])
hang = Path(os.environ["HANG"])
if way == "configure":
    hang.touch()
began = time.monotonic()
telemetry = configure(chunk_bytes=1 << 14, record_bytes=1 << 12, shutdown_timeout_millis=300)
if way == "configure":
    print("configured", time.monotonic() - began < 15, flush=True)
log = fapilog.get_logger("orders")


def spooled() -> int:
    return telemetry.ledger().exporters["otlp"].spooled


def fill(enough: int) -> None:
    while spooled() < enough:
        log.info("filling", padding="x" * 500)


if way == "configure":
    log.info("from memory")
    print("delivered", telemetry.force_flush(20_000), flush=True)
    hang.unlink()
    print("at the end", telemetry.shutdown(20_000), telemetry.ledger().balanced, flush=True)
    sys.exit()
fill(100)
hang.touch()
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
    hang.unlink()
    telemetry.shutdown(30_000)
else:
    began = time.monotonic()
    telemetry.shutdown(300)
    side = telemetry.ledger().exporters["otlp"]
    lost = sum(side.dropped.values())
    print(time.monotonic() - began < 10, telemetry.ledger().balanced, lost > 0, flush=True)
    os._exit(0)
