"""OpenTelemetry-native logging: every log line becomes a redacted, trace-correlated OTLP record that arrives.

    import fapilog

    fapilog.configure_otel(service_name="orders")
    log = fapilog.get_logger(__name__)
    log.info("order placed", order_id=42, amount=12.5)

The life of a record: 1 emit, 2 capture, 3 redact, 4 append, 5 seal, 6 export, 7 settle
(`docs/architecture.md`).

Names are loaded when they are first used: `import fapilog` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fapilog._native import Documents
    from fapilog.batch import LogBatch
    from fapilog.category import EventCategory
    from fapilog.context import bind_context
    from fapilog.errors import ConfigurationError, FapilogError
    from fapilog.event import LogEvent
    from fapilog.exporters.base import Exporter, ExportOutcome
    from fapilog.instrumentation import instrument_fastapi
    from fapilog.keys.base import KeyProvider, SpoolKeys
    from fapilog.ledger import Ledger
    from fapilog.logger import Logger, export_recorded, get_logger
    from fapilog.otel.flight_recorder import FlightRecorderSpanProcessor
    from fapilog.otel.pipeline_exporter import PipelineLogRecordExporter
    from fapilog.otel.processor import FapilogLogRecordProcessor
    from fapilog.otel.provider import LoggerProvider
    from fapilog.plugins import PluginMetadata, PluginPerformance
    from fapilog.settings import Settings
    from fapilog.severity import Severity
    from fapilog.telemetry import Telemetry, configure_otel, current_telemetry

    __version__: str

__all__ = [
    "ConfigurationError",
    "Documents",
    "EventCategory",
    "ExportOutcome",
    "Exporter",
    "FapilogError",
    "FapilogLogRecordProcessor",
    "FlightRecorderSpanProcessor",
    "KeyProvider",
    "Ledger",
    "LogBatch",
    "LogEvent",
    "Logger",
    "LoggerProvider",
    "PipelineLogRecordExporter",
    "PluginMetadata",
    "PluginPerformance",
    "Settings",
    "Severity",
    "SpoolKeys",
    "Telemetry",
    "__version__",
    "bind_context",
    "configure_otel",
    "current_telemetry",
    "export_recorded",
    "get_logger",
    "instrument_fastapi",
]

_HOMES = {
    "ConfigurationError": "fapilog.errors",
    "Documents": "fapilog._native",
    "EventCategory": "fapilog.category",
    "ExportOutcome": "fapilog.exporters.base",
    "Exporter": "fapilog.exporters.base",
    "FapilogError": "fapilog.errors",
    "FapilogLogRecordProcessor": "fapilog.otel.processor",
    "FlightRecorderSpanProcessor": "fapilog.otel.flight_recorder",
    "KeyProvider": "fapilog.keys.base",
    "Ledger": "fapilog.ledger",
    "LogBatch": "fapilog.batch",
    "LogEvent": "fapilog.event",
    "Logger": "fapilog.logger",
    "LoggerProvider": "fapilog.otel.provider",
    "PipelineLogRecordExporter": "fapilog.otel.pipeline_exporter",
    "PluginMetadata": "fapilog.plugins",
    "PluginPerformance": "fapilog.plugins",
    "Settings": "fapilog.settings",
    "Severity": "fapilog.severity",
    "SpoolKeys": "fapilog.keys.base",
    "Telemetry": "fapilog.telemetry",
    "bind_context": "fapilog.context",
    "configure_otel": "fapilog.telemetry",
    "current_telemetry": "fapilog.telemetry",
    "export_recorded": "fapilog.logger",
    "get_logger": "fapilog.logger",
    "instrument_fastapi": "fapilog.instrumentation",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 3 ms that most programs need not pay

        value: object = version("fapilog")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'fapilog' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
