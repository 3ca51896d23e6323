"""Requests that are not valid: where and why, without what they held. Thread: caller.

Values come only when settings ask for them, and then without what the models mark as sensitive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, get_args

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic_core.core_schema import ErrorType

from fapilog import Severity
from fapilog_instrumentation_fastapi import marks
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.facts import facts, title
from fapilog_instrumentation_fastapi.http_exceptions import shortened
from fapilog_instrumentation_fastapi.writing import write as write_record

EVENT = "fapilog.http.server.validation_failed"
ERRORS = "fapilog.validation.errors"
COUNT = "fapilog.validation.error_count"
# Callers choose how many errors there are and, by keys of their own, how a location reads.
_ERRORS_LIMIT = 20
_STEPS_LIMIT = 16
_STEP_CHARS = 64
_VALUE_CHARS = 256
# Pydantic's own kinds of errors; the messages of the others were written by the application.
_OWN_TYPES = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}


def write(exchange: Exchange, error: RequestValidationError | WebSocketRequestValidationError) -> None:
    """Write the WARN record of a request that is not valid, unless settings leave it out."""
    settings = exchange.options.settings.exceptions
    if not settings.validation:
        return
    errors = error.errors()
    attributes = facts(exchange)
    if isinstance(error, RequestValidationError):
        attributes["http.response.status_code"] = 422
    attributes[COUNT] = len(errors)
    fields = marks.of(exchange.scope) if settings.validation_values else None
    attributes[ERRORS] = [_described(each, fields) for each in errors[:_ERRORS_LIMIT]]
    body = f"request of {title(exchange)} is not valid"
    write_record(
        exchange.options.logger, int(Severity.WARN), EVENT, body, attributes, context=exchange.context
    )


def _described(error: Any, fields: marks.Fields | None) -> dict[str, Any]:
    if not isinstance(error, Mapping):
        # A handler of the application may raise one with anything inside.
        return {"type": type(error).__name__}
    described: dict[str, Any] = {
        "loc": location(tuple(error.get("loc", ()))),
        "type": str(error.get("type", ""))[:_STEP_CHARS],
    }
    if fields is not None:
        marker, value = without_marks(error, fields)
        if marker is not None:
            # A message may repeat the value.
            described["message"] = marker
        elif not fields.has_marks or repeats_nothing(error):
            described["message"] = shortened(str(error.get("msg", "")), _VALUE_CHARS)
        described["input"] = shortened(value, _VALUE_CHARS)
    return described


def without_marks(error: Mapping[str, Any], fields: marks.Fields) -> tuple[str | None, Any]:
    """Return what stands for the input of an error, as `Fields.hidden` does."""
    steps = tuple(error.get("loc", ()))
    # What is missing has no value: the input of the error is what it is missing from.
    place = steps[:-1] if str(error.get("type", "")).startswith("missing") else steps
    return fields.hidden(place, error.get("input"))


def repeats_nothing(error: Mapping[str, Any]) -> bool:
    """Tell whether a message says nothing of other values: it is pydantic's own, about what has no parts."""
    is_leaf = isinstance(error.get("input"), (str, bytes, bool, int, float, NoneType))
    return is_leaf and error.get("type") in _OWN_TYPES


def location(steps: Sequence[Any]) -> str:
    """Return a location as text: its steps with dots, each at most 64 characters, at most 16 of them.

    Example:
        >>> location(("body", "items", 0, "price"))
        'body.items.0.price'
    """
    return ".".join(str(step)[:_STEP_CHARS] for step in steps[:_STEPS_LIMIT])
