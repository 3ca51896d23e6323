"""Traces and metrics: the stock SDK with `opentelemetry-exporter-otlp`, over HTTP unless told otherwise.

The exporters read their own `OTEL_EXPORTER_OTLP_*` variables. What they log about an unreachable collector
becomes one line a minute instead of a storm, and never enters our pipeline.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from fapilog import otel_private
from fapilog.diagnostics import say
from fapilog.errors import MissingDependencyError
from fapilog.otel import installed_exporters
from fapilog.otel.redacting_metrics import RedactingMeterProvider, RedactingMetricExporter
from fapilog.plugins import PluginPolicy
from fapilog.settings.redaction import RedactionSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

# Which variable names the exporters of a signal.
VARIABLES = {"trace": "OTEL_TRACES_EXPORTER", "metrics": "OTEL_METRICS_EXPORTER"}
_OURS = ("otlp", "console", "none")
_NOISY_LOGGERS = ("opentelemetry.exporter", "opentelemetry.sdk")
_quiet_for: set[object] = set()


def exporters(variable: str, *, otlp: bool, policy: PluginPolicy | None = None) -> Sequence[str]:
    """Return the exporters that a variable names; an unknown name is said and ignored.

    Besides `otlp` and `console` these are the ones that installed packages register for the SDK.

    Args:
        variable: `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER`.
        otlp: Whether OTLP is meant when the variable says nothing.
        policy: Which installed ones may be used; None: all.
    """
    names = [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]
    names = [name.lower() if name.lower() in _OURS else name for name in names]
    known = list(_OURS)
    if not set(names) <= set(_OURS):
        known += [name for name in sorted(installed_exporters.points(variable, policy)) if name not in _OURS]
    for name in names:
        if name not in known:
            say("variable-ignored", f"{variable} names {name!r}; known are {', '.join(known)}", variable)
    found = [name for name in dict.fromkeys(names) if name in known]
    chosen = found or (["otlp"] if otlp else [])
    return [] if "none" in chosen else chosen


def tracer_provider(
    resource: Resource, names: Sequence[str], redaction: RedactionSettings
) -> tuple[trace.TracerProvider, bool]:
    """Return the process's tracer provider and whether we made it; one that somebody installed is reused.

    Args:
        resource: For a provider of ours.
        names: Exporters for a provider of ours, as `exporters()` returns them.
        redaction: What a provider of ours hides.
    """
    installed = otel_private.installed_tracer_provider()
    if installed is not None:
        say("provider-reused", "a tracer provider is installed already and is used, with redaction", "trace")
        return installed, False
    # Not at the head of the file: it raises for some values of variables, and logs must survive that.
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from fapilog.otel.redacting_spans import RedactingSpanProcessors  # noqa: PLC0415

    provider = TracerProvider(
        resource=resource,
        shutdown_on_exit=False,
        # Every processor, whenever it is added, stands behind this one.
        active_span_processor=RedactingSpanProcessors(redaction),
    )
    for name in names:
        provider.add_span_processor(BatchSpanProcessor(_span_exporter(name)))
    otel_private.install_tracer_provider(provider)
    return provider, True


def meter_provider(
    resource: Resource, names: Sequence[str], redaction: RedactionSettings
) -> tuple[metrics.MeterProvider, bool]:
    """Return the process's meter provider and whether we made it; as `tracer_provider`."""
    installed = otel_private.installed_meter_provider()
    if installed is not None:
        say("provider-reused", "a meter provider is installed already and is used, with redaction", "metrics")
        return installed, False
    made = [_metric_exporter(name) for name in names]
    readers = [
        each
        if isinstance(each, MetricReader)
        else PeriodicExportingMetricReader(RedactingMetricExporter(each, redaction))
        for each in made
    ]
    provider = RedactingMeterProvider(readers, resource=resource, settings=redaction)
    otel_private.install_meter_provider(provider)
    return provider, True


def quiet_exporters() -> Callable[[], None]:
    """Let the stock exporters say the same thing once a minute, on stderr, and nowhere else.

    Returns:
        What puts their loggers back, once nobody wants them quiet any more.
    """
    wish = object()
    _quiet_for.add(wish)
    for name in _NOISY_LOGGERS:
        logger = logging.getLogger(name)
        if not _ours(logger):
            logger.addHandler(_OncePerMinute(propagated=logger.propagate))
            logger.propagate = False

    def put_back() -> None:
        _quiet_for.discard(wish)
        if _quiet_for:
            return
        for name in _NOISY_LOGGERS:
            logger = logging.getLogger(name)
            for handler in _ours(logger):
                logger.removeHandler(handler)
                logger.propagate = handler.propagated

    return put_back


def _ours(logger: logging.Logger) -> list[_OncePerMinute]:
    return [handler for handler in logger.handlers if isinstance(handler, _OncePerMinute)]


class _OncePerMinute(logging.Handler):
    def __init__(self, *, propagated: bool) -> None:
        super().__init__(logging.WARNING)
        self.propagated = propagated

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        first_line = message.splitlines()[0] if message else record.name
        say("stock-exporter", f"{record.name.rsplit('.', 1)[-1]}: {first_line[:200]}", record.name)


def _uses_grpc(signal: str) -> bool:
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    given = (os.environ.get(name, "").strip().lower() for name in names)
    return next((value for value in given if value), "") == "grpc"


def _span_exporter(name: str) -> SpanExporter:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - as above

        return ConsoleSpanExporter()
    exporter: SpanExporter = (
        _otlp_exporter("TRACES", "trace_exporter", "OTLPSpanExporter")
        if name == "otlp"
        else installed_exporters.make("OTEL_TRACES_EXPORTER", name)
    )
    return exporter


def _metric_exporter(name: str) -> MetricExporter | MetricReader:
    if name == "console":
        return ConsoleMetricExporter()
    exporter: MetricExporter | MetricReader = (
        _otlp_exporter("METRICS", "metric_exporter", "OTLPMetricExporter")
        if name == "otlp"
        else installed_exporters.make("OTEL_METRICS_EXPORTER", name)
    )
    return exporter


def _otlp_exporter(signal: str, module: str, name: str) -> Any:
    """Make a stock OTLP exporter; the package is loaded only when it is wanted: it costs 100 ms."""
    protocol = "grpc" if _uses_grpc(signal) else "http"
    try:
        home = import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.{module}")
    except ImportError as error:
        raise MissingDependencyError("opentelemetry-exporter-otlp", f"exporting {signal.lower()}") from error
    return getattr(home, name)()
