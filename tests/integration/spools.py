"""What tests of the spool share: a buffer that holds a quarter of the records, and what lies on disk."""

from pathlib import Path

import fapilog

PATIENCE_SECONDS = 30.0
LIMIT_BYTES = 1 << 20
RECORDS = 6_000
PADDING = "x" * 500
# Uncompressed, so that 6 000 records are 4 MB: four times the buffer.
BUFFER = {
    "limit_bytes": LIMIT_BYTES,
    "chunk_bytes": 1 << 16,
    "schedule_delay_millis": 20,
    "overflow": "wait",
    "wait_timeout_millis": 30_000,
}
OTLP = {"compression": "none"}


def files(spool: Path) -> list[str]:
    return sorted(str(path.relative_to(spool)) for path in spool.rglob("*"))


def log_all(records: int = RECORDS) -> None:
    log = fapilog.get_logger("orders")
    for number in range(records):
        log.info(str(number), padding=PADDING)
