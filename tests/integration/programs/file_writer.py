"""Logs to one file, as one of several processes: path, number of this writer, records (0: until killed)."""

import sys
from itertools import count

import fapilog

path, writer, records = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
telemetry = fapilog.configure_otel(
    "writer",
    exporters=["file"],
    capture_stdlib=False,
    file={"path": path, "max_bytes": 20_000},
    buffer={"max_block_records": 7, "chunk_bytes": 65_536},
)
log = fapilog.get_logger(f"writer{writer}")
for number in range(records) if records else count():
    log.info("record", writer=writer, number=number)
    if not records and number % 100 == 99:
        telemetry.force_flush()
        print("flushed", flush=True)
telemetry.shutdown()
print(telemetry.ledger().exporters["file"].delivered)
