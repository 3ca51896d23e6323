"""Stage 6 of 7, export: OTLP/JSON lines on standard output or standard error. Threads: sender.

OpenTelemetry calls the first one `otlp/stdout` (OTEL_LOGS_EXPORTER); `otlp/stderr` is its twin, for what must
not mix with a program's own output, such as a fallback. Unlike the console they are for machines, and a
native thread writes them: a platform that collects the output of containers gets resource, scope and every
field.
"""

from __future__ import annotations

from fapilog.exporters.base import NativeExporter
from fapilog.settings import Settings

STDOUT, STDERR = "otlp/stdout", "otlp/stderr"


def make_stdout(settings: Settings) -> NativeExporter:
    """Make the exporter that is called `otlp/stdout`; it has no settings."""
    return _make(STDOUT, settings)


def make_stderr(settings: Settings) -> NativeExporter:
    """Make the exporter that is called `otlp/stderr`; it has no settings."""
    return _make(STDERR, settings)


def _make(name: str, settings: Settings) -> NativeExporter:
    del settings
    _, _, output = name.partition("/")
    return NativeExporter(name, {"kind": "stream", "form": "otlp_json", "output": output})
