"""Logs while its collector is away and its spool takes nothing, and ends: by SIGTERM, or by returning.

Arguments: records, and `sigterm` or `return`.
"""

import sys
import time

import fapilog

fapilog.configure_otel(
    "shop",
    capture_location="never",
    buffer={"shutdown_timeout_millis": 200},
    ring={"limit_bytes": 1 << 19},
    otlp={"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 50}},
)
for number in range(int(sys.argv[1])):
    fapilog.get_logger("orders").info(str(number))
print("ready", flush=True)
if sys.argv[2] == "sigterm":
    # In short steps: a signal between two instructions interrupts no system call that has not begun.
    for _ in range(1_200):
        time.sleep(0.05)
