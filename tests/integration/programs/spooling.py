"""Logs as many records as told and ends in the way that is told; receiver and spool are the test's."""

import os
import sys
import time

from small_spool import configure

import fapilog

way, first, records = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
telemetry = configure(
    chunk_bytes=1 << 16, shutdown_timeout_millis=300, overflow="wait", wait_timeout_millis=30_000
)
log = fapilog.get_logger("orders")
for number in range(first, first + records):
    log.info(str(number), padding="x" * 500)


def spooled() -> int:
    """How many are on disk at least, once it is most of those that a quarter of the buffer does not hold."""
    while telemetry.ledger().exporters["otlp"].spooled < records - 1_500:
        time.sleep(0.002)
    return telemetry.ledger().exporters["otlp"].spooled


def fork_quietly() -> None:
    """A child that never logs and outlives its parent."""
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(20)
        os._exit(0)


if way == "shutdown":
    telemetry.shutdown()
    ledger = telemetry.ledger()
    side = ledger.exporters["otlp"]
    print(ledger.balanced, side.accepted, side.pending, side.spooled)
elif way in ("wait", "fork"):
    on_disk = spooled()
    if way == "fork":
        fork_quietly()
    print("ready", on_disk, flush=True)
    sys.stdin.readline()
elif way == "serve":
    print("ready", flush=True)
    sys.stdin.readline()
    telemetry.shutdown()
    print(telemetry.ledger().balanced, telemetry.ledger().adopted)
# "return": the interpreter ends as it does.
