"""Instruments applications, and takes it back: each with settings, pipeline and spans of its own.

Threads: the configuring one.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from fapilog import LoggerProvider, Telemetry
from fapilog.errors import ConfigurationError, LifecycleError, OffendingSetting, Problem
from fapilog_instrumentation_fastapi import outgoing
from fapilog_instrumentation_fastapi.assembly import planned
from fapilog_instrumentation_fastapi.handlers import Watching
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
        hooks: Of the application.
        by_itself: Whether it was done without a call in the application; such a call replaces it.
    """

    by_itself = False

    def __init__(  # noqa: PLR0913 - all that was made
        self,
        settings: RequestLogging,
        plan: Plan,
        spans: Spans,
        placement: Placement,
        *,
        hooks: Hooks | None,
        providers: Mapping[str, Any],
    ) -> None:
        self.settings = settings
        self.plan = plan
        self.spans = spans
        self.placement = placement
        self.hooks = hooks
        self._providers = providers

    def check_same(self, settings: RequestLogging, hooks: Hooks | None, providers: Mapping[str, Any]) -> None:
        """Refuse to be told something else than the first time; a provider that is not given is none.

        Raises:
            LifecycleError: `already-configured`.
        """
        other = [
            f"{name}_provider" for name, value in providers.items() if value is not self._providers[name]
        ]
        if self.settings != settings:
            other.insert(0, "settings")
        if self.hooks != hooks:
            other.append("hooks")
        if other:
            raise LifecycleError(
                "already-configured", f"the application is instrumented with other {', '.join(other)}",
                (f"settings = {self.settings!r}",), "call uninstrument_fastapi(app) before",
            )  # fmt: skip


# Kept on the application, so that both can go together.
_PLACE = "_fapilog_instrumented"


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

    Call it where the application is made, before or after routes and middleware; Starlette's work too. Called
    again with the same settings, hooks and providers it does nothing. What `opentelemetry-instrument` did
    before gives way.

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
        LifecycleError: `already-configured`, if the application is instrumented with other settings, hooks or
            providers.

    Example:
        >>> from fastapi import FastAPI
        >>> app = instrument_fastapi(FastAPI(), access={"sample_ratio": 0.1}, spans="none")
        >>> instrumented(app).settings.access.sample_ratio
        0.1
    """
    if not hasattr(app, "build_middleware_stack"):
        raise _no_application(app)
    asked = chosen(settings, options)
    known = instrumented(app)
    providers = _providers(telemetry, logger=logger_provider, tracer=tracer_provider, meter=meter_provider)
    if known is not None and not known.by_itself:
        known.check_same(asked, hooks, providers)
        return app
    # What was done without a call gives way.
    uninstrument_fastapi(app)
    spans = Spans(asked.spans, providers["tracer"], providers["meter"], telemetry is not None)
    spans.begin(app)
    plan = planned(asked, providers["logger"], hooks)
    # What is undone first stands last: OpenTelemetry's instrumentor builds the stack anew when it leaves.
    plan.undo.append(weakref.finalize(plan, outgoing.use(asked.outgoing.clients)))
    plan.undo.append(partial(spans.undo, app))
    Watching(plan).begin(app)
    placement = Placement(app, partial(RequestLoggingMiddleware, plan=plan), spans.prepare, plan)
    plan.undo.append(placement.undo)
    setattr(app, _PLACE, Instrumented(asked, plan, spans, placement, hooks=hooks, providers=providers))
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
    known.plan.take_back()


def instrumented(app: Any) -> Instrumented | None:
    """Return what was done to an application; None: nothing."""
    return getattr(app, _PLACE, None)


def chosen(settings: RequestLogging | None, options: dict[str, Any]) -> RequestLogging:
    """Return settings, those of the environment by default, with options in their place.

    Raises:
        ConfigurationError: If something is wrong.
    """
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
