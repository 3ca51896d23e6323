"""A whole record as one validated value, for code that builds its records as data."""

from datetime import UTC, datetime

import fapilog
from fapilog import EventCategory, LogEvent

fapilog.configure_otel(service_name="payments")
log = fapilog.get_logger("payments")

event = LogEvent(
    message="card refused",
    level="WARNING",
    timestamp=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    category=EventCategory.SECURITY,
    tags={"team": "checkout"},
    context={"user_id": "u-7", "client_ip": "203.0.113.7"},  # become user.id and client.address
    metrics={"attempts": 3},
    correlation_id="c-1",
)
log.emit(event)
