"""Telemetry of programs that log into a spool: a buffer of a mebibyte, and pauses that cost no time."""

from typing import Any

import fapilog
import fapilog.settings.spool


def configure(**buffer: Any) -> fapilog.Telemetry:
    fapilog.settings.spool.ADOPT_INTERVAL_MILLIS = 100
    return fapilog.configure_otel(
        "shop",
        capture_location="never",
        buffer={"limit_bytes": 1 << 20, "schedule_delay_millis": 20, **buffer},
        otlp={"compression": "none", "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 50}},
    )
