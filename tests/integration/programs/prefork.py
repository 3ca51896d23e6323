"""A parent that configures and forks workers, as servers do; each logs, says so, and waits to be killed.

Argument: records of each worker. Worker n logs n * 1,000 and so on; the parent logs -2 before it forks.
"""

import os
import sys
import time

import fapilog

WORKERS = 3
records = int(sys.argv[1])
fapilog.configure_otel(
    "shop",
    capture_location="never",
    ring={"limit_bytes": 1 << 19},
    otlp={"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 50}},
)
fapilog.get_logger("orders").info("-2")


def work(number: int) -> None:
    log = fapilog.get_logger("orders")
    for each in range(records):
        log.info(str(number * 1_000 + each))
    # One write: the workers share the stream.
    os.write(1, f"{number} {os.getpid()}\n".encode())
    time.sleep(60)
    os._exit(0)


for worker in range(WORKERS):
    if os.fork() == 0:
        work(worker)
time.sleep(60)
