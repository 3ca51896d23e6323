"""A policy by its name, wherever one is taken."""

from typing import Any

import pytest
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fapilog import redaction
from fapilog.errors import ConfigurationError
from fapilog.redaction import Redactor, scan

TAKERS: dict[str, Any] = {
    "Redactor": redaction.Redactor,
    "RedactingLogRecordProcessor": redaction.RedactingLogRecordProcessor,
    "RedactingLogRecordExporter": lambda policy: redaction.RedactingLogRecordExporter(
        InMemoryLogRecordExporter(),  # type: ignore[no-untyped-call]
        policy,
    ),
    "RedactingSpanProcessor": redaction.RedactingSpanProcessor,
    "RedactingSpanExporter": lambda policy: redaction.RedactingSpanExporter(InMemorySpanExporter(), policy),
    "RedactingMetricExporter": lambda policy: redaction.RedactingMetricExporter(
        ConsoleMetricExporter(), policy
    ),
    "RedactingBaggagePropagator": lambda policy: redaction.RedactingBaggagePropagator(
        W3CBaggagePropagator(), policy
    ),
    "scan": lambda policy: redaction.scan("", settings=policy),
}


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize("mode", ["keys", "scan"])
def test_the_name_of_a_mode_is_taken_as_a_policy(name, mode):
    assert TAKERS[name](mode) is not None


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize(("given", "shown"), [("scam", "'scam'"), ({"mode": "scan"}, "an object of dict")])
def test_what_is_no_policy_is_refused_with_what_to_pass(name, given, shown):
    with pytest.raises(ConfigurationError) as caught:
        TAKERS[name](given)
    assert str(caught.value).splitlines() == [
        "settings are no redaction policy [setting-invalid]",
        f"  settings = {shown}   from argument",
        "  do: pass 'keys', 'scan', or RedactionSettings, such as Settings.redaction_in_force",
        "  see: docs/reference/errors.md#setting-invalid",
    ]


def test_a_mode_by_its_name_works_as_the_settings_with_it():
    assert Redactor("scan").text("ann@example.org") == "[REDACTED:email]"
    assert Redactor("keys").text("ann@example.org") == Redactor().text("ann@example.org") == "ann@example.org"
    assert scan("ann@example.org", settings="keys") == []
