"""The first log line, and the proof that nothing was lost. Run it: python hello.py."""

import fapilog

telemetry = fapilog.configure_otel(service_name="orders", exporters=["console"])
log = fapilog.get_logger("shop")
log.info("order placed", order_id=42, amount=12.5, password="hunter2")
log.bind(tenant="acme").info("order shipped", order_id=42, days=2)
print(telemetry.ledger())
