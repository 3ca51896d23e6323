"""Stage 6 of 7, export: OTLP/JSON lines on standard output. Threads: sender.

OpenTelemetry calls it `otlp/stdout` (OTEL_LOGS_EXPORTER). Unlike the console it is for machines, and a native
thread writes it: a platform that collects the output of containers gets resource, scope and every field.
"""

from __future__ import annotations

from fapilog.exporters.base import NativeExporter
from fapilog.settings import Settings

NAME = "otlp/stdout"


def make_exporter(settings: Settings) -> NativeExporter:
    """Make the exporter that is called `otlp/stdout`; it has no settings."""
    del settings
    return NativeExporter(NAME, {"kind": "stream", "form": "otlp_json"})
