"""DEBUG records wait in memory, and leave only with the request that failed."""

from opentelemetry import trace

import fapilog

telemetry = fapilog.configure_otel(
    "orders",
    exporters=["console"],
    sequence=False,
    capture_location="never",
    flight_recorder={"enabled": True},
)
log = fapilog.get_logger("shop")
tracer = trace.get_tracer("shop")

for order_id in range(1_000):
    with tracer.start_as_current_span("GET /orders"):
        log.debug("looked up", order_id=order_id)
        log.debug("priced", order_id=order_id)
        if order_id == 500:
            log.error("price is missing", order_id=order_id)

print(telemetry.ledger())
