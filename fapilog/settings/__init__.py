"""Configuration: `Settings`, its groups, and where each value comes from. Imports no stage."""

from fapilog.settings.explain import Explained, Explanation
from fapilog.settings.exporting import DeliverySettings
from fapilog.settings.file import FileSettings
from fapilog.settings.flight_recorder import FlightRecorderSettings
from fapilog.settings.groups import (
    BufferSettings,
    ConsoleSettings,
    LimitSettings,
    OtlpSettings,
    RetrySettings,
    ServiceSettings,
)
from fapilog.settings.model import Settings
from fapilog.settings.processing import LoggerRule
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.ring import RingSettings
from fapilog.settings.spool import SpoolSettings
from fapilog.settings.webhook import WebhookSettings

__all__ = [
    "BufferSettings",
    "ConsoleSettings",
    "DeliverySettings",
    "Explained",
    "Explanation",
    "FileSettings",
    "FlightRecorderSettings",
    "LimitSettings",
    "LoggerRule",
    "OtlpSettings",
    "RedactionSettings",
    "RetrySettings",
    "RingSettings",
    "ServiceSettings",
    "Settings",
    "SpoolSettings",
    "WebhookSettings",
]
