"""A forked child whose crash ring has no place that the encrypted spool allows: memory takes no more."""

import os
import pathlib
import sys

import fapilog

(spool,) = sys.argv[1:]
memory = pathlib.Path(f"/dev/shm/fapilog-{os.geteuid()}")
telemetry = fapilog.configure_otel(
    "orders",
    exporters=["otlp"],
    durability="process",
    ring={"limit_bytes": 1 << 20},
    spool={"directory": spool, "key_provider": lambda: {1: b"k" * 32}},
)
log = fapilog.get_logger("orders")
log.info("parent's")
assert telemetry.force_flush(20_000)
(ring,) = memory.glob(f"*/orders-*-{os.getpid()}-*.ring")
# As a file system that filled up: nothing may be made there any more, and the disk is next.
ring.parent.chmod(0o777)
child = os.fork()
if child == 0:
    log.info("child's")
    flushed = telemetry.force_flush(20_000)
    print("child:", flushed, telemetry.ledger().exporters["otlp"].delivered, flush=True)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
ring.parent.chmod(0o700)
telemetry.shutdown(20_000)
sys.exit(code)
