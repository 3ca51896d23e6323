"""Logs while the receiver is away, on a disk that takes no file of some kilobytes until the limit goes."""

import resource
import sys
import time

from small_spool import configure

import fapilog

telemetry = configure(chunk_bytes=1 << 14, record_bytes=1 << 12, overflow="wait", wait_timeout_millis=1)
log = fapilog.get_logger("orders")
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))
for number in range(4_000):
    log.info(str(number), padding="x" * 500)
ledger = telemetry.ledger()
print(ledger.balanced, ledger.exporters["otlp"].spooled == 0, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
deadline = time.monotonic() + 40
while telemetry.ledger().exporters["otlp"].spooled == 0 and time.monotonic() < deadline:
    log.info("again", padding="x" * 500)
    time.sleep(0.01)
print(telemetry.ledger().exporters["otlp"].spooled > 0, flush=True)
sys.stdin.readline()
print(telemetry.force_flush(30_000), flush=True)
# The record that tells of the losses follows the first block that settles, so it may come behind the flush.
telemetry.shutdown()
ledger = telemetry.ledger()
side = ledger.exporters["otlp"]
print(ledger.balanced, side.pending, side.rejected, side.dropped["wait_timeout"] > 0)
