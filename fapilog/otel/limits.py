"""Stage 2 of 7, capture: the SDK's `LogRecordLimits` and ours. Thread: the configuring one."""

from __future__ import annotations

from opentelemetry.sdk._logs import LogRecordLimits

from fapilog.settings import Settings

# More attributes than any record can hold.
_NO_COUNT = 2**31 - 1


def of(settings: Settings) -> LogRecordLimits:
    """Return the limits in force as the SDK's type; the environment is not read a second time.

    The SDK raises for a variable that is no number, and takes an empty one for no limit at all; ours were
    read as the specification says.
    """
    count = settings.limits.attribute_count
    length = settings.limits.attribute_value_length
    length = LogRecordLimits.UNSET if length is None else length
    return LogRecordLimits(count, length, count, length)


def applied(settings: Settings, limits: LogRecordLimits | None) -> Settings:
    """Return settings with the limits of stock code, where it gave some."""
    if limits is None:
        return settings
    count = limits.max_log_record_attributes
    return settings.with_changes(
        limits={
            "attribute_count": _NO_COUNT if count is None else count,
            "attribute_value_length": limits.max_log_record_attribute_length,
            "depth": settings.limits.depth,
        }
    )
