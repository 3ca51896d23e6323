"""What a record is about: the six categories of a `LogEvent`."""

from enum import StrEnum


class EventCategory(StrEnum):
    """Category of an event; exported as the attribute `fapilog.event.category`."""

    ERROR = "error"
    PERFORMANCE = "performance"
    SECURITY = "security"
    BUSINESS = "business"
    SYSTEM = "system"
    COMPLIANCE = "compliance"
