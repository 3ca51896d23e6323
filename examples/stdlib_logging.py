"""Code that uses `logging` needs no change: its records are exported, correlated and redacted as well."""

import logging

import fapilog

fapilog.configure_otel(service_name="orders")

log = logging.getLogger("legacy.billing")
log.info("invoice %s printed", "R-42", extra={"pages": 3, "api_key": "k-123"})
try:
    1 / 0  # noqa: B018
except ZeroDivisionError:
    log.exception("cannot divide")
