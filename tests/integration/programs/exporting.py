"""Logs numbers to the exporter that `FAPILOG_EXPORTERS` names, or delivers what a killed process left.

Arguments: `log`, first number, how many: logs them, says so, and waits to be killed. `recover`: delivers
until it is told to end.
"""

import sys
import time

import fapilog

RETRY = {"initial_backoff_millis": 1, "max_backoff_millis": 50}
telemetry = fapilog.configure_otel(
    "orders",
    capture_location="never",
    record_uid="on",
    durability="process",
    buffer={"schedule_delay_millis": 5, "shutdown_timeout_millis": 30_000, "overflow": "wait"},
    delivery={"retry": RETRY, "breaker_pause_millis": 50},
    otlp={"retry": RETRY},
)
log = fapilog.get_logger("orders")
if sys.argv[1] == "log":
    for number in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
        log.info("an order", number=number)
    print("logged", flush=True)
    sys.stdin.readline()
    time.sleep(60)
else:
    log.info("recovering", number=-1)
    sys.stdin.readline()
    telemetry.shutdown()
    ledger = telemetry.ledger()
    print(ledger.balanced, sum(side.pending for side in ledger.exporters.values()), flush=True)
