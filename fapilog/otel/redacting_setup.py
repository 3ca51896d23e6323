"""Stage 3 of 7, redact: `configure_otel()` leaves no signal another way out. Thread(s): the configuring one.

Providers of ours have their boundary from the start (`signals`). A provider that somebody installed before
keeps all that it has, and gets a processor of ours that hides secrets in what it exports.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from opentelemetry import propagate

from fapilog import otel_private
from fapilog.diagnostics import say
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.redacting_baggage import RedactingBaggagePropagator
from fapilog.settings.redaction import RedactionSettings

# What was added to providers of others, which take nothing back; a later policy is given to it.
_added: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def redact_signals(redaction: RedactionSettings) -> list[Callable[[], object]]:
    """Hide in what the installed providers export, and in baggage that leaves, what stage 3 hides in records.

    Returns:
        What takes it back. Providers of others stay protected.
    """
    _guard_spans(redaction)
    _guard_metrics(redaction)
    _guard_logs(redaction)
    return [_guard_baggage(redaction)]


def _guard_spans(redaction: RedactionSettings) -> None:
    provider: Any = otel_private.installed_tracer_provider()
    if provider is None or otel_private.is_noop(provider):
        return
    # The SDK's spans raise for some values of variables when they are loaded; here they are loaded.
    from fapilog.otel.redacting_spans import RedactingSpanProcessor, RedactingSpanProcessors  # noqa: PLC0415

    if isinstance(otel_private.active_span_processor(provider), RedactingSpanProcessors) or _known(
        provider, redaction
    ):
        return
    add = getattr(provider, "add_span_processor", None)
    if add is None:
        _say_not("spans", provider)
        return
    processor = RedactingSpanProcessor(redaction)
    add(processor)
    _added[provider] = processor


def _guard_metrics(redaction: RedactionSettings) -> None:
    provider: Any = otel_private.installed_meter_provider()
    if provider is None or otel_private.is_noop(provider):
        return
    from fapilog.otel.redacting_metrics import MetricRedactor, RedactingMeterProvider, guard_reader  # noqa: PLC0415

    if isinstance(provider, RedactingMeterProvider) or _known(provider, redaction):
        return
    readers = otel_private.readers_of(provider)
    if readers is None:
        _say_not("metrics", provider)
        return
    redactor = MetricRedactor(redaction)
    for reader in readers:
        guard_reader(reader, redactor)
    _added[provider] = redactor


def _guard_logs(redaction: RedactionSettings) -> None:
    provider: Any = otel_private.installed_logger_provider()
    if provider is None or isinstance(provider, LoggerProvider) or otel_private.is_noop(provider):
        return
    if _known(provider, redaction):
        return
    from fapilog.otel.redacting_logs import RedactingLogRecordProcessor  # noqa: PLC0415

    processor = RedactingLogRecordProcessor(redaction)
    if not otel_private.put_log_processor_first(provider, processor):
        _say_not("log records", provider)
        return
    _added[provider] = processor


def _guard_baggage(redaction: RedactionSettings) -> Callable[[], object]:
    before = propagate.get_global_textmap()
    given = before.propagator if isinstance(before, RedactingBaggagePropagator) else before
    ours = RedactingBaggagePropagator(given, redaction)
    propagate.set_global_textmap(ours)

    def put_back() -> None:
        if propagate.get_global_textmap() is ours:
            propagate.set_global_textmap(given)

    return put_back


def _known(provider: Any, redaction: RedactionSettings) -> bool:
    """True when something of ours is in place there already; it takes the policy."""
    try:
        added = _added.get(provider)
    except TypeError:
        return False
    if added is None:
        return False
    added.use(redaction)
    return True


def _say_not(signal: str, provider: Any) -> None:
    kind = type(provider)
    what = f"{kind.__module__}.{kind.__qualname__} was installed before and exports {signal} as they are"
    say("not-redacted", what, signal)
