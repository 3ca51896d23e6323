"""What an enricher is: a mapping, a function, an async function; or a built-in one with several parts."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from fapilog.errors import ConfigurationError, OffendingSetting, Problem

Attributes = Mapping[str, Any]
Enricher = Attributes | Callable[[], Attributes | None] | Callable[[], Awaitable[Attributes | None]]

_F = TypeVar("_F", bound=Callable[[], Any])
_MARK = "fapilog_enricher"
_LONGEST_SECONDS = 366 * 24 * 3600.0


class Timing(NamedTuple):
    """When an enricher is asked. None: what the settings say, or, for a function, for each record."""

    refresh_seconds: float | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Source:
    """One enricher, chosen: where attributes come from, and when.

    Attributes:
        name: For people, in messages and timings.
        describe: Attributes of the resource; asked at configuration, and again in a forked child.
        constant: Attributes that never change.
        ask: Asked for each record on the caller, or every `refresh_seconds` on the delivery loop.
        refresh_seconds: None: for each record.
        timeout_seconds: Longest time of one refresh.
    """

    name: str
    describe: Callable[[], Attributes] | None = None
    constant: Attributes | None = None
    ask: Callable[[], Any] | None = None
    refresh_seconds: float | None = None
    timeout_seconds: float = math.inf


def enricher(
    *, refresh_seconds: float | None = None, timeout_seconds: float | None = None
) -> Callable[[_F], _F]:
    """Mark a function, plain or async, as an enricher that is asked now and then, not for each record.

    It is asked on fapilog's own event loop when the first record comes, and then every `refresh_seconds`; a
    plain function in a thread of its own. Records carry the latest result, and none waits for it.

    Args:
        refresh_seconds: From one answer to the next question. Default: for an async function
            `enrichment.refresh_millis` (60 s); a plain function without it is asked for each record.
        timeout_seconds: Longest time of one question. Default: `enrichment.timeout_millis` (5 s).

    Raises:
        ConfigurationError: `setting-invalid`, if a time is no time.

    Example:
        >>> @enricher(refresh_seconds=60)
        ... def feature_flags():
        ...     return {"flags.checkout": "new"}
        >>> feature_flags()
        {'flags.checkout': 'new'}
    """
    timing = Timing(_time("refresh_seconds", refresh_seconds), _time("timeout_seconds", timeout_seconds))

    def mark(function: _F) -> _F:
        setattr(function, _MARK, timing)
        return function

    return mark


def timing_of(function: Any) -> Timing:
    """Return what `enricher` marked a function with."""
    timing = getattr(function, _MARK, None)
    return timing if isinstance(timing, Timing) else Timing()


def _time(name: str, value: float | None) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if value is None or (known and 0 < value <= _LONGEST_SECONDS):
        return value
    remedy = "pass a number of seconds above 0, at most one year"
    setting = OffendingSetting(name, repr(value), "argument", remedy)
    raise ConfigurationError([Problem("setting-invalid", f"{name} is no time", (setting,), remedy)])
