"""Who makes the server span: OpenTelemetry's instrumentor or FastAPI itself; never both, never twice.

It is decided when the stack of middleware is built, when all that instruments the application has been there.
FastAPI's own telemetry steps aside by itself where it finds OpenTelemetry's middleware in the stack. Threads:
the configuring one, or the first request's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as ContribInstrumentor
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from fapilog_instrumentation_fastapi.settings import SpansChoice

# What FastAPI 0.142 and newer keep of `FastAPI(telemetry=...)`, and what each is when nobody asked.
_UNASKED: dict[str, Any] = {
    "tracer_provider": None,
    "meter_provider": None,
    "logger_provider": None,
    "tracing": True,
    "metrics": True,
    "logs": True,
    "operation_spans": True,
    "auto_configure": False,
    "exclude": None,
}


@dataclass(frozen=True)
class Spans:
    """What `instrument_fastapi` was told about spans.

    Attributes:
        choice: Of the settings.
        tracer_provider, meter_provider: Whose spans and metrics; None: the ones of the process.
        is_configured: Whether fapilog exports spans, so that exporters of FastAPI's own would do it twice.
    """

    choice: SpansChoice
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    is_configured: bool = False

    def prepare(self, app: Any) -> str:
        """Let one of the two make the spans of an application; returns which, or `none`."""
        native: dict[str, Any] | None = getattr(app, "_telemetry", None)
        if self.is_configured and native is not None:
            # Its exporters would send what ours send.
            native["auto_configure"] = False
        if getattr(app, "_is_instrumented_by_opentelemetry", False):
            return "contrib"
        choice = self._chosen(native)
        if choice == "native" and native is not None:
            self._give_providers(native)
        elif native is not None and choice == "none":
            native["tracing"] = False
        if choice == "contrib" and hasattr(app, "router"):
            self._instrument(app)
        return choice

    def _chosen(self, native: dict[str, Any] | None) -> SpansChoice:
        if self.choice != "auto":
            return self.choice
        asked = native is not None and any(
            native.get(name, value) is not value for name, value in _UNASKED.items()
        )
        return "native" if asked else "contrib"

    def _give_providers(self, native: dict[str, Any]) -> None:
        for name, provider in (
            ("tracer_provider", self.tracer_provider),
            ("meter_provider", self.meter_provider),
        ):
            if native.get(name) is None and provider is not None:
                native[name] = provider

    def _instrument(self, app: Any) -> None:
        ContribInstrumentor.instrument_app(
            app,
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            # One span per message says little and costs more than the request itself.
            exclude_spans=["receive", "send"],
        )
