"""Stage 3 of 7, redact: the policy that the native engine applies. Thread: caller (applied), any (built).

What wraps processors and exporters of OpenTelemetry stands in `fapilog.otel`; it loads the SDK when it is
first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fapilog.keys.tokens import all_tokens
from fapilog.redaction.policy import Policy, default_policy
from fapilog.redaction.redactor import Redactor
from fapilog.redaction.scan import Finding, scan
from fapilog.redaction.sensitive import Sensitive

if TYPE_CHECKING:
    from fapilog.otel.redacting_baggage import RedactingBaggagePropagator
    from fapilog.otel.redacting_logs import RedactingLogRecordExporter, RedactingLogRecordProcessor
    from fapilog.otel.redacting_metrics import RedactingMetricExporter
    from fapilog.otel.redacting_spans import RedactingSpanExporter, RedactingSpanProcessor

__all__ = [
    "Finding",
    "Policy",
    "RedactingBaggagePropagator",
    "RedactingLogRecordExporter",
    "RedactingLogRecordProcessor",
    "RedactingMetricExporter",
    "RedactingSpanExporter",
    "RedactingSpanProcessor",
    "Redactor",
    "Sensitive",
    "all_tokens",
    "default_policy",
    "scan",
]

_HOMES = {
    "RedactingBaggagePropagator": "fapilog.otel.redacting_baggage",
    "RedactingLogRecordExporter": "fapilog.otel.redacting_logs",
    "RedactingLogRecordProcessor": "fapilog.otel.redacting_logs",
    "RedactingMetricExporter": "fapilog.otel.redacting_metrics",
    "RedactingSpanExporter": "fapilog.otel.redacting_spans",
    "RedactingSpanProcessor": "fapilog.otel.redacting_spans",
}


def __getattr__(name: str) -> object:
    """Load what is written for the SDK."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
