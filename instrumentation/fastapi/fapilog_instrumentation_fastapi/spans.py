"""Who makes the server span: OpenTelemetry's instrumentor or FastAPI itself; never both, never twice.

It is settled when the stack of middleware is built, when all that instruments the application has been there.
FastAPI's own telemetry steps aside by itself where it finds OpenTelemetry's middleware in the stack. Threads:
the configuring one, or the first request's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import fastapi
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as ContribInstrumentor
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from fapilog import current_telemetry
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
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
    # The first release did it unasked.
    "auto_configure": fastapi.__version__.startswith("0.142."),
    "exclude": None,
}
# What the contrib instrumentor keeps on an application.
_FLAG, _ORIGINAL = "_is_instrumented_by_opentelemetry", "_original_build_middleware_stack"
# What is changed of it.
_CHANGED = ("tracer_provider", "meter_provider", "tracing", "auto_configure")


@dataclass
class Spans:
    """What `instrument_fastapi` was told about spans, and what came of it.

    Attributes:
        choice: Of the settings.
        tracer_provider: Whose spans; None: the one of the process.
        meter_provider: Whose metrics; None: the one of the process.
        exports: Whether fapilog exports spans, so that exporters of FastAPI's own would do it twice.
        made_by: `contrib`, `native` or `none`; empty until it is decided.
    """

    choice: SpansChoice
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    exports: bool = False
    made_by: str = ""
    _is_ours: bool = False
    _is_asked: bool = False
    _is_barred: bool = False
    _before: dict[str, Any] = field(default_factory=dict)

    def begin(self, app: Any) -> None:
        """Note what was asked of FastAPI's own telemetry, and configure it where it makes the spans.

        It decides about the first request before the stack is built.

        Raises:
            ConfigurationError: If `none` or `native` is chosen, and the application has a middleware of
                OpenTelemetry that makes them.
        """
        if self.choice in {"none", "native"}:
            self._bar(app)
        native: dict[str, Any] | None = getattr(app, "_telemetry", None)
        if native is None:
            return
        self._is_asked = any(native.get(name, value) is not value for name, value in _UNASKED.items())
        self._before = dict(native)
        if self._chosen() == "native":
            given = {"tracer_provider": self.tracer_provider, "meter_provider": self.meter_provider}
            for name, provider in given.items():
                if native.get(name) is None and provider is not None:
                    native[name] = provider

    def prepare(self, app: Any) -> None:
        """Let one of the two make the spans of an application; called before its stack is built."""
        native: dict[str, Any] | None = getattr(app, "_telemetry", None)
        if native is not None and (self.exports or current_telemetry() is not None):
            # Its exporters would send what ours send.
            native["auto_configure"] = False
        self.made_by = "contrib" if self._has_contrib(app) else self._chosen()
        if self.made_by == "none" and native is not None:
            native["tracing"] = False
        if self.made_by == "contrib" and not self._has_contrib(app):
            self._instrument(app)

    def undo(self, app: Any) -> None:
        """Take OpenTelemetry's back, if `prepare` put it there, and let FastAPI's be as it was."""
        if self._is_ours and self._has_contrib(app):
            ContribInstrumentor.uninstrument_app(app)
        if self._is_barred:
            setattr(app, _FLAG, False)
        native: dict[str, Any] | None = getattr(app, "_telemetry", None)
        if native is not None:
            native.update((name, self._before[name]) for name in _CHANGED if name in self._before)

    def _bar(self, app: Any) -> None:
        """Take OpenTelemetry's instrumentor out, and let it think that it is there, so that it stays away."""
        if any(getattr(added, "cls", None) is OpenTelemetryMiddleware for added in app.user_middleware):
            raise _refused(self.choice)
        # Its own way to leave builds the stack at once, and stops the spans of background tasks everywhere.
        original = getattr(app, _ORIGINAL, None)
        if original is not None:
            app.build_middleware_stack = original
            delattr(app, _ORIGINAL)
        each = app.middleware_stack
        while each is not None:
            below = getattr(each, "app", None)
            if isinstance(below, OpenTelemetryMiddleware):
                each.app = below.app
            each = below
        setattr(app, _FLAG, True)
        self._is_barred = True

    def _has_contrib(self, app: Any) -> bool:
        """Whether somebody put OpenTelemetry's middleware around the application, or adds it to its own."""
        flagged = bool(getattr(app, _FLAG, False)) and not self._is_barred
        return flagged or any(
            getattr(added, "cls", None) is OpenTelemetryMiddleware
            for added in getattr(app, "user_middleware", ())
        )

    def _chosen(self) -> SpansChoice:
        if self.choice != "auto":
            return self.choice
        return "native" if self._is_asked or _is_switched_off("fastapi") else "contrib"

    def _instrument(self, app: Any) -> None:
        ContribInstrumentor.instrument_app(
            app,
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            # One span per message says little and costs more than the request itself.
            exclude_spans=["receive", "send"],
        )
        self._is_ours = True


def _refused(choice: str) -> ConfigurationError:
    remedy = "take OpenTelemetryMiddleware out of the application, or set spans to contrib"
    shown = OffendingSetting("spans", repr(choice), "settings", remedy)
    what = "the application has a middleware of OpenTelemetry that makes server spans"
    return ConfigurationError([Problem("setting-invalid", what, (shown,), remedy)])


def _is_switched_off(name: str) -> bool:
    """Whether `opentelemetry-instrument` was told not to load an instrumentation: a choice for us, too."""
    disabled = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "")
    return name in {each.strip() for each in disabled.split(",")}
