"""Logs until the disk holds up the first block that goes to it, then lets it go on and waits to be killed.

`HOLD` names the file that holds it up. It says how many records are on disk: meanwhile, and afterwards.
"""

import os
import sys
import time
from pathlib import Path

from small_spool import configure

import fapilog

hold = Path(os.environ["HOLD"])
telemetry = configure(chunk_bytes=1 << 16, overflow="drop_newest")
log = fapilog.get_logger("orders")


def spooled() -> int:
    return telemetry.ledger().exporters["otlp"].spooled


deadline = time.monotonic() + 10
numbers = iter(range(10_000_000))
while not Path(f"{hold}.waits").exists():
    log.info(str(next(numbers)), padding="x" * 500)
    assert time.monotonic() < deadline, "nothing was forced to the disk"
print(spooled(), flush=True)
hold.unlink()
while not spooled():
    time.sleep(0.001)
print(spooled(), flush=True)
sys.stdin.readline()
