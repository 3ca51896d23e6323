"""One service process: it logs orders to Kafka, and prints at its end what became of them.

    python service.py NAME RECORDS PER_SECOND

Everything else comes from `FAPILOG_*` variables; `hops.start_service` has them.
"""

import json
import sys
import time

import fapilog


def main(name: str, records: int, per_second: int) -> None:
    telemetry = fapilog.configure_otel("orders", resource={"service.instance.id": name})
    log = fapilog.get_logger("shop")
    begun = time.monotonic()
    for number in range(records):
        log.info("order placed", instance=name, number=number)
        ahead = (number + 1) / per_second - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)
    flushed = telemetry.force_flush(120_000)
    telemetry.shutdown()
    side = telemetry.ledger().exporters["kafka"]
    print(json.dumps({"flushed": flushed, "delivered": side.delivered, "rejected": side.rejected}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
