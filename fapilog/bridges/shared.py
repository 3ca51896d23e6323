"""What bridges share: native loggers by name, and looking at values that may raise. Thread: caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fapilog import _native
from fapilog.logger import default_handle
from fapilog.values import valid_text

# Names come from outside, so memory needs a bound.
_NAMES_LIMIT = 4_096


class Loggers(dict[Any, _native.Logger]):
    """Makes a logger for each name on first use.

    Args:
        handle: Where their records go. Default: the pipeline of the process.

    Example:
        >>> Loggers()["orders"].name
        'orders'
    """

    def __init__(self, handle: _native.PipelineHandle | None = None) -> None:
        super().__init__()
        self.handle = default_handle if handle is None else handle

    def __missing__(self, name: Any) -> _native.Logger:
        if len(self) >= _NAMES_LIMIT:
            self.clear()
        logger = self[name] = _native.Logger(self.handle, valid_text(name))
        return logger


# `extra` keys that OpenTelemetry's own bridges know; the semantic conventions gave the second one up.
EVENT_NAMES = ("otel.event.name", "event.name")


def event_name(attributes: Mapping[Any, Any]) -> str | None:
    """Return the event name that an attribute gives, if there is one.

    Example:
        >>> event_name({"event.name": "order.placed"})
        'order.placed'
    """
    given = (attributes.get(key) for key in EVENT_NAMES)
    return next((valid_text(name) for name in given if name is not None), None)


def is_given(value: Any) -> bool:
    """Tell whether a value is neither None nor an empty text; asks no method of it."""
    return value is not None and not (type(value) is str and not value)


def is_true(value: Any) -> bool:
    """Tell whether a value is true; one that cannot be asked is."""
    try:
        return bool(value)
    except Exception:
        return True
