"""Forks with records in the buffer: parent, child and grandchild log, and end in the usual way."""

import os
import sys

import fapilog

telemetry = fapilog.configure_otel(buffer={"schedule_delay_millis": 60_000})
log = fapilog.get_logger("orders")
inherited = log.bind(bound="before the fork")
started = sys.argv[1] == "started"
if started:
    log.info("delivered before the fork")
    telemetry.force_flush(10_000)
log.info("queued by the parent")
child = os.fork()
if child == 0:
    log.info("logged by the child")
    grandchild = os.fork()
    if grandchild == 0:
        inherited.info("logged by the grandchild")
    else:
        status = os.waitpid(grandchild, 0)[1]
        inherited.info("logged by the child after its own fork", status=status)
    assert telemetry.ledger().balanced
else:
    status = os.waitpid(child, 0)[1]
    inherited.info("logged by the parent after the fork", status=status)
    ledger = telemetry.ledger()
    assert ledger.balanced
    print(ledger.accepted)
