"""Telemetry of programs that log into a spool: a buffer of a mebibyte, and retries that cost no time."""

from typing import Any

import fapilog


def configure(**buffer: Any) -> fapilog.Telemetry:
    return fapilog.configure_otel(
        "shop",
        capture_location="never",
        buffer={"limit_bytes": 1 << 20, "schedule_delay_millis": 20, **buffer},
        otlp={"compression": "none", "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 50}},
    )
