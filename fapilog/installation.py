"""Providers and bridges of a process: put in place, and taken out again. Threads: the configuring one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.sdk.resources import Resource

from fapilog import hooks, lifecycle, otel_private, self_observability
from fapilog.bounded_calls import BoundedCalls
from fapilog.bridges import stdlib
from fapilog.diagnostics import OnError, say, shown_error
from fapilog.errors import ConfigurationError, FapilogError, Problem
from fapilog.logger import default_handle
from fapilog.otel import signals
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.redacting_setup import redact_signals
from fapilog.providers import Telemetry, take_back
from fapilog.settings.redaction import RedactionSettings

_Provider = TypeVar("_Provider")
_Stock = tuple[trace.TracerProvider, metrics.MeterProvider]
Place = Callable[[LoggerProvider, list[Callable[[], object]], list[Any]], _Stock]


def install(
    provider: LoggerProvider,
    on_error: OnError | None,
    let_go: Callable[[Telemetry], bool],
    place: Place,
) -> Telemetry:
    """Put the providers and the bridges in place; when one fails, those before it are taken out again.

    The next record configures defaults then, as if nobody had tried.
    """
    settings, undo = provider.settings, list[Callable[[], object]]()
    loud_again = signals.quiet_exporters()
    ours: list[Any] = []
    try:
        tracers, meters = place(provider, undo, ours)
        if not settings.disabled:
            undo += redact_signals(settings.redaction_in_force)
        if settings.self_observability and not settings.disabled:
            self_observability.observe(provider, meters)
        if settings.flight_recorder.enabled and not settings.disabled:
            undo.append(_follow_spans(tracers, provider))
        default_handle.attach(None if settings.disabled else provider.pipeline)
        # After the shutdown records are refused; without any pipeline the next one would configure defaults.
        undo.append(lambda: default_handle.attach(provider.pipeline))
        if settings.capture_stdlib and not settings.disabled:
            undo.append(stdlib.install(provider.handle, capture_warnings=settings.capture_warnings))
        if settings.exception_hooks and not settings.disabled:
            undo.append(hooks.install())
    except BaseException:
        take_back(undo)
        default_handle.attach(None)
        BoundedCalls(provider.shutdown for provider in ours)
        loud_again()
        raise
    if settings.exit_report:
        lifecycle.report_at_exit(provider)
    return Telemetry(
        logger_provider=provider,
        tracer_provider=tracers,
        meter_provider=meters,
        undo=undo,
        let_go=let_go,
        on_error=on_error,
        ours=ours,
        at_end=loud_again,
    )


def _follow_spans(tracers: Any, provider: LoggerProvider) -> Callable[[], object]:
    """Let the spans of the process tell the flight recorder how requests end."""
    add = getattr(tracers, "add_span_processor", None)
    if add is None:
        what = "the tracer provider takes no span processors: only records of ERROR let kept records out"
        say("flight-recorder", what)
        return lambda: None
    # The SDK's spans, which are loaded by now.
    from fapilog.otel.flight_recorder import FlightRecorderSpanProcessor  # noqa: PLC0415

    processor = FlightRecorderSpanProcessor(provider)
    add(processor)
    return processor.shutdown


def place_new(logs: LoggerProvider, undo: list[Callable[[], object]], ours: list[Any]) -> _Stock:
    """Install a provider for each signal that has none yet."""
    tracers = _place_stock("trace", signals.tracer_provider, logs, undo, ours)
    meters = _place_stock("metrics", signals.meter_provider, logs, undo, ours)
    undo += _place_logs(logs)
    return tracers, meters


def place_logs_alone(logs: LoggerProvider, undo: list[Callable[[], object]], _ours: list[Any]) -> _Stock:
    """Leave traces and metrics as they are: what is wrong may be about them."""
    undo += _place_logs(logs)
    return trace.get_tracer_provider(), metrics.get_meter_provider()


def take_over(logs: LoggerProvider, undo: list[Callable[[], object]], ours: list[Any]) -> _Stock:
    """Take over the end of the providers that are installed."""
    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    stock: tuple[tuple[str, Any], ...] = (("trace", tracers), ("metrics", meters))
    for signal, provider in stock:
        if hasattr(provider, "shutdown"):
            otel_private.forget_exit_handler(provider)
            ours.append(provider)
            undo.append(_ending(signal, provider, logs.settings.buffer.shutdown_timeout_millis))
    undo.append(lambda: otel_private.mark_ended("logs", logs))
    return tracers, meters


def _place_stock(
    signal: str,
    make: Callable[[Resource, Sequence[str], RedactionSettings], tuple[_Provider, bool]],
    logs: LoggerProvider,
    undo: list[Callable[[], object]],
    ours: list[Any],
) -> _Provider:
    """Install a stock provider with the resource of `logs`; disabled, it exports nothing."""
    settings = logs.settings
    variable = signals.VARIABLES[signal]
    otlp, policy = "otlp" in logs.exporters, settings.plugins.policy
    names = () if settings.disabled else signals.exporters(variable, otlp=otlp, policy=policy)
    try:
        provider, made_here = make(logs.resource, names, settings.redaction_in_force)
    except FapilogError:
        raise
    except Exception as error:
        # The stock SDK raises what it likes for some variables.
        what = f"OpenTelemetry's SDK cannot be set up for {signal}: {shown_error(error)}"
        remedy = "correct the OTEL_* variable that it means"
        raise ConfigurationError([Problem("setting-invalid", what, (), remedy)]) from error
    if made_here:
        ours.append(provider)
        undo.append(_ending(signal, provider, settings.buffer.shutdown_timeout_millis))
    return provider


def _place_logs(provider: LoggerProvider) -> list[Callable[[], object]]:
    if otel_private.installed_logger_provider() is not None:
        say(
            "provider-reused",
            "another logger provider is installed; the OpenTelemetry logs API stays with it",
            "logs",
        )
        return []
    otel_private.install_logger_provider(provider)
    return [lambda: otel_private.mark_ended("logs", provider)]


def _ending(signal: str, provider: Any, timeout_millis: int) -> Callable[[], object]:
    lifecycle.shut_down_at_exit(provider, timeout_millis)

    def end() -> None:
        lifecycle.forget(provider)
        otel_private.mark_ended(signal, provider)

    return end
