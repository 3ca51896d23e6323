"""Instruments applications, and takes it back: each with settings, pipeline and spans of its own.

Threads: the configuring one.
"""

from __future__ import annotations

import logging
import weakref
from functools import partial
from typing import Any, TypeVar

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from fapilog import LoggerProvider, Telemetry
from fapilog.errors import ConfigurationError, LifecycleError, OffendingSetting, Problem
from fapilog_instrumentation_fastapi import outgoing
from fapilog_instrumentation_fastapi.assembly import planned
from fapilog_instrumentation_fastapi.failures import NativeLogs
from fapilog_instrumentation_fastapi.hooks import Hooks
from fapilog_instrumentation_fastapi.middleware import RequestLoggingMiddleware
from fapilog_instrumentation_fastapi.placement import Placement
from fapilog_instrumentation_fastapi.plan import Plan
from fapilog_instrumentation_fastapi.settings import RequestLogging
from fapilog_instrumentation_fastapi.spans import Spans

_App = TypeVar("_App")


class Instrumented:
    """What was done to one application.

    Attributes:
        settings: In force.
        plan: Made of them; hooks go there.
        spans: Who makes them.
        placement: Of the middleware.
        leave_clients: Takes back what `outgoing.clients` asked for.
        hooks: Of the application.
        by_itself: Whether it was done without a call in the application; such a call replaces it.
    """

    by_itself = False

    def __init__(
        self,
        settings: RequestLogging,
        plan: Plan,
        spans: Spans,
        placement: Placement,
        *,
        hooks: Hooks | None,
    ) -> None:
        self.settings = settings
        self.plan = plan
        self.spans = spans
        self.placement = placement
        self.hooks = hooks
        self.leave_clients = weakref.finalize(self, outgoing.use(settings.outgoing.clients))


# Kept on the application, so that both can go together.
_PLACE = "_fapilog_instrumented"
_silencing: weakref.WeakSet[Instrumented] = weakref.WeakSet()


def instrument_fastapi(  # noqa: PLR0913 - options by keyword are the point
    app: _App,
    settings: RequestLogging | None = None,
    *,
    telemetry: Telemetry | None = None,
    logger_provider: LoggerProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    hooks: Hooks | None = None,
    **options: Any,
) -> _App:
    """Give an application correlation ids, access records and server spans; returns the application.

    Call it where the application is made, before or after its routes and middleware. Starlette applications
    work too. Called again with the same settings it does nothing. What `opentelemetry-instrument` did to the
    application before gives way.

    Args:
        app: A FastAPI or Starlette application.
        settings: Default: the environment (`RequestLogging.load`).
        telemetry: Whose providers are used. Default: those of the process.
        logger_provider: Instead of the one of `telemetry`, a `LoggerProvider` of fapilog.
        tracer_provider: Instead of the one of `telemetry`.
        meter_provider: Instead of the one of `telemetry`.
        hooks: Functions that are called with each request, its response and its exception.
        **options: Fields of `RequestLogging`, which win over `settings`; groups as mappings.

    Raises:
        ConfigurationError: If a setting is wrong, or `app` is no application of Starlette.
        LifecycleError: `already-configured`, if the application is instrumented with other settings.

    Example:
        >>> from fastapi import FastAPI
        >>> app = instrument_fastapi(FastAPI(), access={"sample_ratio": 0.1}, spans="none")
        >>> instrumented(app).settings.access.sample_ratio
        0.1
    """
    if not hasattr(app, "build_middleware_stack"):
        raise _no_application(app)
    chosen = _settings(settings, options)
    known = instrumented(app)
    if known is not None and known.by_itself:
        uninstrument_fastapi(app)
    elif known is not None:
        if known.settings == chosen and known.hooks == hooks:
            return app
        raise LifecycleError(
            "already-configured", "the application is instrumented with other settings",
            (f"settings = {known.settings!r}",), "call uninstrument_fastapi(app) before",
        )  # fmt: skip
    providers = _providers(telemetry, logger=logger_provider, tracer=tracer_provider, meter=meter_provider)
    plan = planned(chosen, providers["logger"], hooks)
    spans = Spans(chosen.spans, providers["tracer"], providers["meter"], telemetry is not None)
    spans.begin(app)
    placement = Placement(app, partial(RequestLoggingMiddleware, plan=plan), spans.prepare, plan)
    NativeLogs(app, plan).silence()
    made = Instrumented(chosen, plan, spans, placement, hooks=hooks)
    setattr(app, _PLACE, made)
    if chosen.access.silence_uvicorn:
        _silence_uvicorn(made)
    return app


def _providers(telemetry: Telemetry | None, **given: Any) -> dict[str, Any]:
    """The providers that were given one by one, else those of `telemetry`, else None for the process's."""
    return {
        name: getattr(telemetry, f"{name}_provider", None) if provider is None else provider
        for name, provider in given.items()
    }


def uninstrument_fastapi(app: Any) -> None:
    """Take the middleware of an application out again, and OpenTelemetry's if we put it there."""
    known = instrumented(app)
    if known is None:
        return
    delattr(app, _PLACE)
    known.placement.undo()
    known.spans.undo(app)
    known.leave_clients()
    for native_logs in reversed(known.plan.silenced):
        native_logs.give_back()
    _silencing.discard(known)
    if not _silencing:
        logging.getLogger("uvicorn.access").removeFilter(_unless_silenced)


def instrumented(app: Any) -> Instrumented | None:
    """Return what was done to an application; None: nothing."""
    return getattr(app, _PLACE, None)


def _settings(settings: RequestLogging | None, options: dict[str, Any]) -> RequestLogging:
    if settings is None:
        return RequestLogging.load(**options)
    if not options:
        return settings
    merged = settings.model_dump(exclude_unset=True)
    for name, value in options.items():
        both = isinstance(merged.get(name), dict) and isinstance(value, dict)
        merged[name] = {**merged[name], **value} if both else value
    return RequestLogging.load({}, **merged)


def _no_application(app: object) -> ConfigurationError:
    remedy = "pass a FastAPI or Starlette application; wrap any other one in RequestLoggingMiddleware"
    shown = OffendingSetting("app", type(app).__name__, "argument", remedy)
    return ConfigurationError(
        [Problem("setting-invalid", "app is no application of Starlette", (shown,), remedy)]
    )


def _unless_silenced(_: logging.LogRecord) -> bool:
    return not _silencing


def _silence_uvicorn(asked_by: Instrumented) -> None:
    _silencing.add(asked_by)
    # A filter outlives uvicorn's own `dictConfig`, which a level would not.
    access = logging.getLogger("uvicorn.access")
    if _unless_silenced not in access.filters:
        access.addFilter(_unless_silenced)
