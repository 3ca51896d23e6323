"""Takes over what a killed process left, forks a child that does nothing, and waits to be killed.

Argument: how many records there are to take over.
"""

import os
import sys
import time

import fapilog

telemetry = fapilog.configure_otel(
    "shop",
    capture_location="never",
    ring={"limit_bytes": 1 << 19},
    otlp={"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 50}},
)
fapilog.get_logger("orders").info("-3")
while telemetry.ledger().adopted < int(sys.argv[1]):
    time.sleep(0.005)
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
