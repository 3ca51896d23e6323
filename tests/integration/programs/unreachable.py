"""Logs to an endpoint that nobody serves until many attempts failed, then says what `on_error` heard."""

from collections import Counter

import fapilog

heard: Counter[str] = Counter()
telemetry = fapilog.configure_otel(
    on_error=lambda error: heard.update([error.code]),
    otlp={"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 2}},
)
log = fapilog.get_logger("orders")
for number in range(50):
    log.info("order", number=number)
    telemetry.force_flush(10)
telemetry.shutdown(100)
print(dict(heard))
