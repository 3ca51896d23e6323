"""Logs around a line of its own; everything else comes from the environment."""

import fapilog

log = fapilog.get_logger("orders")
log.info("placed", text="a\nb\x1b")
print("application", flush=True)
log.info("last")
