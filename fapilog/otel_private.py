"""The only module that uses private names of OpenTelemetry: each is checked, each has a public fallback.

Capture reads the current span through the context variable behind `opentelemetry.context`, because the public
call costs 236 ns and reading the variable 7. When a release moves the variable, capture asks the public API.
"""

from __future__ import annotations

import atexit
import inspect
import os
import threading
from collections.abc import Callable, Collection
from contextvars import ContextVar
from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry import context as context_api
from opentelemetry._logs import _internal as logs_internal
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.environment_variables import OTEL_LOGS_EXPORTER
from opentelemetry.metrics import _internal as metrics_internal
from opentelemetry.trace import propagation

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def current_context_getter() -> Callable[[], Any] | None:
    """Return `get` of the variable that holds the current `Context`; None if it is not where we know it.

    Example:
        >>> current_context_getter()() == context_api.get_current()
        True
    """
    runtime = getattr(context_api, "_RUNTIME_CONTEXT", None)
    variable = getattr(runtime, "_current_context", None)
    if not isinstance(variable, ContextVar):
        return None
    getter: Callable[[], Any] = variable.get
    try:
        same = getter() is context_api.get_current()
    except LookupError:
        return None
    return getter if same else None


def span_key() -> str | None:
    """Return the key under which a `Context` holds its span; None if it cannot be found out."""
    key = getattr(propagation, "_SPAN_KEY", None)
    probe = trace.NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)
    holds = isinstance(key, str) and trace.set_span_in_context(probe, context_api.Context()).get(key) is probe
    return key if holds else None


def span_context(context: Any = None) -> trace.SpanContext:
    """Return the span context of `context`, or of the current one, over the public API."""
    return trace.get_current_span(context).get_span_context()


def suppress_instrumentation() -> None:
    """Let what the calling thread does from now on make no spans: exporters do not trace their requests.

    Without the private key this does nothing.
    """
    key = getattr(context_api, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    if isinstance(key, str):
        context_api.attach(context_api.set_value(key, True))


def instrumentation_suppressed() -> bool:
    """Return whether an exporter of the stock SDK is at work in this context; False if that is not known."""
    key = getattr(context_api, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    return isinstance(key, str) and bool(context_api.get_value(key))


def installed_tracer_provider() -> trace.TracerProvider | None:
    """Return the tracer provider that somebody installed; None when there is none, or ours that ended."""
    provider = trace.get_tracer_provider()
    stand_in = isinstance(provider, trace.ProxyTracerProvider) or provider is _ended.get("trace")
    return None if stand_in else provider


def install_tracer_provider(provider: trace.TracerProvider) -> None:
    """Make `provider` the global one, also after an earlier one of ours was shut down."""
    _allow_again(trace, "_TRACER_PROVIDER_SET_ONCE", "_TRACER_PROVIDER")
    trace.set_tracer_provider(provider)


def installed_meter_provider() -> metrics.MeterProvider | None:
    """Return the meter provider that somebody installed; None as for traces."""
    provider = metrics.get_meter_provider()
    stand_in = type(provider).__name__ == "_ProxyMeterProvider" or provider is _ended.get("metrics")
    return None if stand_in else provider


def install_meter_provider(provider: metrics.MeterProvider) -> None:
    """Make `provider` the global one, also after an earlier one of ours was shut down."""
    _allow_again(metrics_internal, "_METER_PROVIDER_SET_ONCE", "_METER_PROVIDER")
    metrics.set_meter_provider(provider)


def installed_logger_provider() -> _logs.LoggerProvider | None:
    """Return the logger provider that somebody installed; None as for traces."""
    provider = _logs.get_logger_provider()
    stand_in = type(provider).__name__ == "ProxyLoggerProvider" or provider is _ended.get("logs")
    return None if stand_in else provider


def install_logger_provider(provider: _logs.LoggerProvider) -> None:
    """Make `provider` the global one, also after an earlier one of ours was shut down."""
    _allow_again(logs_internal, "_LOGGER_PROVIDER_SET_ONCE", "_LOGGER_PROVIDER")
    _logs.set_logger_provider(provider)


def mark_ended(signal: str, provider: object) -> None:
    """Remember that a global provider of ours is shut down, so that the next one may take its place."""
    _ended[signal] = provider


def log_attributes(attributes: dict[str, Any], dropped: int = 0) -> BoundedAttributes:
    """Return attributes of a log record that processors may change, with the number of those left out.

    `BoundedAttributes` cleans every value again and throws the oldest out when it is full. These are clean
    already, and capture limits what is added by keeping the oldest, as the specification demands.
    """
    if _BLANK is None:
        bounded = BoundedAttributes(immutable=False)
        bounded.update(attributes)
        bounded.dropped = dropped
        return bounded
    # Its constructor costs more than all that processors need else.
    bounded = _new(BoundedAttributes)
    bounded.__dict__ = {**_BLANK, "_dict": attributes, "_lock": _new_lock(), "dropped": dropped}
    return bounded


def _blank_attributes() -> tuple[dict[str, Any] | None, Callable[[], Any]]:
    """What an empty `BoundedAttributes` holds, and what makes its lock; None if it is not as we know it."""
    held = getattr(BoundedAttributes(immutable=False), "__dict__", {})
    known = type(held.get("_dict")) is dict and held.keys() >= {"_lock", "dropped"}
    locks: dict[object, Callable[[], Any]] = {
        type(make()): make for make in (threading.Lock, threading.RLock)
    }
    make = locks.get(type(held.get("_lock")))
    return (held, make) if known and make is not None else (None, threading.Lock)


_new = object.__new__
_BLANK, _new_lock = _blank_attributes()


def held_attributes(attributes: Any) -> dict[str, Any]:
    """Return the dict in which attributes of a log record are kept, or a copy; not to be changed."""
    held = getattr(attributes, "_dict", None) if type(attributes) is BoundedAttributes else None
    if type(held) is dict:
        return held
    return dict(attributes.items()) if attributes else {}


def sends_otlp(processor: Any) -> str:
    """Return the class of OpenTelemetry's OTLP exporter behind one of its processors, or an empty text."""
    exporter = getattr(getattr(processor, "_batch_processor", processor), "_exporter", None)
    stock = any(base.__module__.startswith("opentelemetry.exporter.otlp.") for base in type(exporter).__mro__)
    return type(exporter).__name__ if stock else ""


class ProviderHooks:
    """Stands before the SDK's `LoggerProvider` in the bases of ours, and hears what it tells itself.

    A release that renames these methods does not call ours; then loggers keep their configuration, and a
    forked child the resource of its parent.
    """

    def configure_loggers(self, configurator: Callable[[Any], Any]) -> None:
        """A new `LoggerConfigurator` is in force."""

    def resource_changed(self) -> None:
        """`resource` has another value, in a forked child for one."""

    def _set_logger_configurator(self, *, logger_configurator: Callable[[Any], Any]) -> None:
        self.configure_loggers(logger_configurator)

    def _update_resource(self, resource: Any) -> None:
        update = getattr(super(), "_update_resource", None)
        if update is not None:
            update(resource)
        self.resource_changed()


def logger_configurator(
    arguments: dict[str, Any], hint: Callable[[Collection[str]], str] = lambda _: ""
) -> Callable[[Any], Any] | None:
    """Take the configurator out of the private arguments that the SDK makes a provider with.

    Args:
        arguments: By name.
        hint: What to say about the names of others.

    Raises:
        TypeError: If there are other arguments.
    """
    configurator: Callable[[Any], Any] | None = arguments.pop("_logger_configurator", None)
    if arguments:
        what = f"LoggerProvider takes no argument {', '.join(sorted(arguments))}"
        raise TypeError(what + hint(arguments))
    return configurator


def logger_config(config: Any) -> tuple[bool, int, bool]:
    """Read a `LoggerConfig`: enabled, minimum severity, trace based. The SDK's has only the first so far."""
    enabled = getattr(config, "is_enabled", getattr(config, "enabled", True))
    severity = getattr(config, "minimum_severity", None)
    number = getattr(severity, "value", severity) or 0
    return bool(enabled), int(number), bool(getattr(config, "trace_based", False))


def new_logger_config(enabled: bool) -> Any:
    """Make a `LoggerConfig` of the SDK; where its private class is gone, something that reads the same."""
    from opentelemetry.sdk._logs import _internal as sdk  # noqa: PLC0415 - loads the SDK

    try:
        return sdk._LoggerConfig(is_enabled=enabled)
    except (AttributeError, TypeError):
        return SimpleNamespace(is_enabled=enabled, enabled=enabled)


_ended: dict[str, object] = {}


def _allow_again(module: Any, once_name: str, provider_name: str) -> None:
    """Reset OpenTelemetry's set-once guard, if the provider it guards is one of ours that ended.

    Without this, a process could be configured only once in its life. If the private names are gone, the
    public setter refuses with its own warning, and the old provider stays.
    """
    once: Any = getattr(module, once_name, None)
    current = getattr(module, provider_name, None)
    ended = any(current is provider for provider in _ended.values())
    if ended and hasattr(once, "_done"):
        once._done = False
        setattr(module, provider_name, None)


def forget_exit_handler(provider: object) -> None:
    """Keep a stock provider from shutting itself down at exit, because somebody else does, within a deadline.

    If the private name is gone, the provider is shut down twice, which it survives with a warning.
    """
    handler = getattr(provider, "_atexit_handler", None)
    if callable(handler):
        atexit.unregister(handler)
        provider._atexit_handler = None  # type: ignore[attr-defined]


def initialize_sdk(make_logger_provider: Callable[..., Any], **arguments: Any) -> bool:
    """Let the SDK set up traces and metrics from the environment, and logs with a provider of ours.

    OpenTelemetry's configurator names `LoggerProvider` and the exporters of logs by itself; both are replaced
    while it runs.

    Args:
        make_logger_provider: Called with `resource` and `_logger_configurator`, as the SDK calls its class.
        **arguments: Of the SDK's `_initialize_components`.

    Returns:
        False when the names are not where we know them: then nothing was done.
    """
    from opentelemetry.sdk import _configuration as sdk  # noqa: PLC0415 - 60 ms for the distribution alone

    initialize = getattr(sdk, "_initialize_components", None)
    known = inspect.signature(initialize).parameters if callable(initialize) else {}
    if not hasattr(sdk, "LoggerProvider") or set(arguments) - set(known):
        return False
    stock, sdk.LoggerProvider = sdk.LoggerProvider, make_logger_provider
    names = os.environ.get(OTEL_LOGS_EXPORTER)
    os.environ[OTEL_LOGS_EXPORTER] = "none"
    try:
        sdk._initialize_components(**arguments)
    finally:
        sdk.LoggerProvider = stock
        del os.environ[OTEL_LOGS_EXPORTER]
        if names is not None:
            os.environ[OTEL_LOGS_EXPORTER] = names
    return True


def declared_resource(config: Any) -> Resource:
    """Return the resource that a section of a configuration file means.

    If the private name is gone, detectors that the section lists are left out.
    """
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - with a file only

    try:
        from opentelemetry.configuration._resource import create_resource  # noqa: PLC0415 - optional

        resource: Resource = create_resource(config)
    except (ImportError, TypeError):
        given = {attribute.name: attribute.value for attribute in config.attributes or ()}
        resource = Resource.create({name: value for name, value in given.items() if value is not None})
    return resource


# In the order of `fapilog.otel.redacting_spans.SpanParts`.
_SPAN_PARTS = ("_name", "_attributes", "_events", "_links", "_status", "_resource", "_instrumentation_scope")
_parts_of_span = attrgetter(*_SPAN_PARTS)


def held_span_parts(span: Any) -> tuple[Any, ...] | None:
    """Return name, attributes, events, links, status, resource and scope of a span, as the SDK holds them.

    None: it keeps them elsewhere; then a copy can be made of what it shows.
    """
    try:
        parts: tuple[Any, ...] = _parts_of_span(span)
    except AttributeError:
        return None
    return parts


def replace_span_parts(span: Any, parts: Collection[Any]) -> None:
    """Put other parts in the places where `held_span_parts` found them, in a span that has ended."""
    if getattr(span, "_instrumentation_info", None) is not None:
        # The scope under the name that it had before OpenTelemetry 1.11.
        span._instrumentation_info = None
    for name, part in zip(_SPAN_PARTS, parts, strict=True):
        setattr(span, name, part)


def bounded_list(members: list[Any], dropped: int) -> Any:
    """Return events or links as the SDK keeps them, with the number of those that it left out."""
    from opentelemetry.sdk.util import BoundedList  # noqa: PLC0415 - loads the SDK

    made = BoundedList.from_seq(None, members)
    made.dropped = dropped
    return made


def tell_ending(processor: Any, span: Any) -> None:
    """Tell a span processor that a span is ending; the hook is private so far, and newer than the others."""
    hook = getattr(processor, "_on_ending", None)
    if callable(hook):
        hook(span)


def preferences_of(exporter: Any) -> tuple[Any, Any]:
    """Return temporality and aggregation that an exporter of metrics prefers; None: the SDK's defaults."""
    names = ("_preferred_temporality", "_preferred_aggregation")
    temporality, aggregation = (getattr(exporter, name, None) for name in names)
    return temporality, aggregation


def filter_collected(reader: Any, change: Callable[[Any], Any]) -> bool:
    """Let a registered metric reader receive what `change` makes of its metrics. False: it cannot be done."""
    collect = getattr(reader, "_collect", None)
    if not callable(collect) or not callable(getattr(reader, "_set_collect_callback", None)):
        return False

    def changed(*arguments: Any, **named: Any) -> Any:
        collected = collect(*arguments, **named)
        return None if collected is None else change(collected)

    reader._set_collect_callback(changed)
    return True


def readers_of(provider: Any) -> list[Any] | None:
    """Return the metric readers of a provider of the SDK; None if they are not where we know them."""
    storages = getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", None)
    return list(storages) if isinstance(storages, dict) else None


def put_log_processor_first(provider: Any, processor: Any) -> bool:
    """Let `processor` see each record of a stock logger provider first. False: it cannot be done."""
    chain = getattr(provider, "_multi_log_record_processor", None)
    held, lock = getattr(chain, "_log_record_processors", None), getattr(chain, "_lock", None)
    if not isinstance(held, tuple) or lock is None:
        return False
    with lock:
        chain._log_record_processors = (processor, *chain._log_record_processors)  # type: ignore[union-attr]
    return True


def active_span_processor(provider: Any) -> Any:
    """Return what a tracer provider of the SDK gives its spans to; None if it is not where we know it."""
    return getattr(provider, "_active_span_processor", None)


def is_noop(provider: Any) -> bool:
    """Return whether a provider exports nothing: the API's own."""
    return type(provider).__module__.split(".")[:2] in (
        ["opentelemetry", "trace"],
        ["opentelemetry", "metrics"],
        ["opentelemetry", "_logs"],
    )
