"""Meets a limit of the file's size in the middle of a block, then gets room: argv is the path."""

import resource
import sys
from pathlib import Path

import fapilog

LIMIT = 3_000
path = Path(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
telemetry = fapilog.configure_otel(
    "full",
    exporters=["file"],
    file={"path": str(path)},
    buffer={"max_block_records": 10, "chunk_bytes": 65_536, "shutdown_timeout_millis": 10_000},
)
log = fapilog.get_logger("full")
resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
for number in range(50):
    log.info("record", number=number, filler="x" * 100)
telemetry.force_flush(700)
torn = path.read_bytes()
side = telemetry.ledger().exporters["file"]
print(len(torn) <= LIMIT, torn.endswith(b"\n") or not torn, side.pending + side.delivered, side.pending > 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
print(telemetry.force_flush(10_000), telemetry.ledger().exporters["file"].delivered)
telemetry.shutdown()
