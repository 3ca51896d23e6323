"""Fills its buffer, says `ready`, and blocks in a log call under `wait`; then says what the call did."""

import os
import threading

import fapilog

telemetry = fapilog.configure_otel(
    exit_report=True,
    otlp={"max_in_flight": 1, "retry": {"initial_backoff_millis": 10, "max_backoff_millis": 50}},
    buffer={
        "overflow": "wait",
        "wait_timeout_millis": 600_000,
        "shutdown_timeout_millis": 500,
        "max_block_records": 1,
        "max_queue_records": 5,
        "chunk_bytes": 2_048,
        "record_bytes": 1_024,
    },
)
log = fapilog.get_logger("orders")
for number in range(5):
    log.info(str(number))


def say_when_blocked() -> None:
    """The sixth record is pending: its call blocks."""
    while telemetry.health().pending < 6:
        threading.Event().wait(0.01)
    os.write(1, b"ready\n")


threading.Thread(target=say_when_blocked, daemon=True).start()
try:
    log.info("blocked")
except KeyboardInterrupt:
    os.write(1, b"interrupted\n")
else:
    os.write(1, b"returned\n")
