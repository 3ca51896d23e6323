"""The only module that uses private names of OpenTelemetry: each checked at import, each with a public fallback.

Capture reads the current span through the context variable behind `opentelemetry.context`, because the public call
costs 236 ns and reading the variable 7. When a release moves the variable, capture asks the public API instead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace


def current_context_getter() -> Callable[[], Any] | None:
    """Return `get` of the context variable that holds the current `Context`; None if it is not where we know it.

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
    from opentelemetry.trace import propagation

    key = getattr(propagation, "_SPAN_KEY", None)
    probe = trace.NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)
    holds = isinstance(key, str) and trace.set_span_in_context(probe, context_api.Context()).get(key) is probe
    return key if holds else None


def span_context(context: Any = None) -> trace.SpanContext:
    """Return the span context of `context`, or of the current one, over the public API."""
    return trace.get_current_span(context).get_span_context()
