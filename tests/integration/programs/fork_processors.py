"""Forks while dedupe holds a record back and a bucket is empty: the child has its own of both."""

import os

import fapilog

telemetry = fapilog.configure_otel(
    dedupe={"window_millis": 3_600_000}, rate_limit={"records_per_second": 1 / 3600, "burst": 3}
)
log = fapilog.get_logger("orders")
for _ in range(4):
    log.info("again")
child = os.fork()
for _ in range(2):
    log.info("again")
if child:
    assert os.waitpid(child, 0)[1] == 0
assert telemetry.ledger().balanced
