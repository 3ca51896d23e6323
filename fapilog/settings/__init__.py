"""Configuration: `Settings`, its groups, and where each value comes from. Imports no stage."""

from fapilog.settings.explain import Explained, Explanation
from fapilog.settings.groups import (
    BufferSettings,
    ConsoleSettings,
    LimitSettings,
    OtlpSettings,
    RedactionSettings,
    RetrySettings,
    ServiceSettings,
)
from fapilog.settings.model import Settings

__all__ = [
    "BufferSettings",
    "ConsoleSettings",
    "Explained",
    "Explanation",
    "LimitSettings",
    "OtlpSettings",
    "RedactionSettings",
    "RetrySettings",
    "ServiceSettings",
    "Settings",
]
