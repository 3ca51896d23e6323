"""A noisy loop and a flapping disk: what goes out, what it stands for, and the ledger that knows the rest."""

import fapilog

telemetry = fapilog.configure_otel(
    "orders",
    exporters=["console"],
    first_occurrence={"per": "process"},
    dedupe={"window_millis": 60_000},
)
log = fapilog.get_logger("shop")

for attempt in range(1_000):
    log.info("cannot reach %s", "payments", attempt=attempt)
log.audit("price changed", item=7)
log.audit("price changed", item=7)  # nothing leaves audit records out

telemetry.force_flush()
print(telemetry.ledger())
