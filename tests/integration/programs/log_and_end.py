"""Logs as many records as its argument says, tells so, and ends."""

import sys

import fapilog

fapilog.configure_otel()
log = fapilog.get_logger("orders")
count = int(sys.argv[1])
for number in range(count):
    log.info("order", number=number)
print(f"logged {count}")
