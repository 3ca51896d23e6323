"""What Sentry said about one envelope: a pure function. Threads: delivery loop.

| status | then |
|---|---|
| 2xx | taken |
| 413 | halves are tried; an event alone is rejected |
| 429 | the envelope again, after the pause that is asked for, else a minute |
| 401, 403, 404 | the envelope again, after `refused_pause_millis` |
| 408, 5xx, no answer | the envelope again |
| anything else | its records are rejected |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

from fapilog.exporters.http import Response, retry_after_millis, shown

# Sentry: where an answer of 429 names no time.
_USUAL_PAUSE_MILLIS = 60_000
_LIMITS = "x-sentry-rate-limits"
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


class Fate(Enum):
    """What becomes of the records of one envelope."""

    TAKEN = "they were taken"
    LATER = "they come again"
    TOO_LARGE = "halves may be taken"
    REFUSED = "never"


@dataclass(frozen=True)
class Answer:
    """What one request came to.

    Attributes:
        fate: What becomes of its records.
        pause_millis: Before they come again.
        limits: Pauses in milliseconds by category, for envelopes to come; the empty one is for all.
        cause: For people.
        reason: One word, for metrics.
        uncertain: Whether they may have been taken all the same.
    """

    fate: Fate
    pause_millis: int | None = None
    limits: dict[str, int] = field(default_factory=dict)
    cause: str = ""
    reason: str = ""
    uncertain: bool = False


def read(response: Response, now: float, refused_pause_millis: int) -> Answer:
    """Read an answer.

    Args:
        response: Status, headers, body.
        now: Unix seconds, for a `Retry-After` that is a date.
        refused_pause_millis: Of the settings.

    Example:
        >>> headers = [("x-sentry-rate-limits", "60:error:key, 2700::organization")]
        >>> read((429, headers, b""), 0.0, 1).limits
        {'error': 60000, '': 2700000}
    """
    status, headers, body = response
    limits: dict[str, int] = {}
    for category, millis in _limits(headers):  # of several the longest counts
        limits[category] = max(millis, limits.get(category, 0))
    if 200 <= status < 300:
        return Answer(Fate.TAKEN, limits=limits)
    cause, reason = _cause(response, body), str(status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        pause = retry_after_millis(list(headers), now)
        if not limits:
            limits = {"": _USUAL_PAUSE_MILLIS if pause is None else pause}
        return Answer(Fate.LATER, pause, limits, cause, reason)
    if status in _REFUSED:
        return Answer(Fate.LATER, refused_pause_millis, limits, cause, reason)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= 500:
        pause = retry_after_millis(list(headers), now)
        return Answer(Fate.LATER, pause, limits, cause, reason, uncertain=True)
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Answer(Fate.TOO_LARGE if too_large else Fate.REFUSED, None, limits, cause, reason)


def _limits(headers: list[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    """Pauses by category: `SECONDS:CATEGORY;CATEGORY:SCOPE:REASON`, several with commas between."""
    for name, value in headers:
        if name.lower() != _LIMITS:
            continue
        for limit in value.split(","):
            seconds, _, rest = limit.strip().partition(":")
            if _SECONDS.fullmatch(seconds):
                for category in rest.partition(":")[0].split(";"):
                    yield category.strip(), int(float(seconds) * 1_000)


def _cause(response: Response, body: bytes) -> str:
    status, headers, _ = response
    said = next((value for name, value in headers if name.lower() == "x-sentry-error"), "")
    text = shown(said or body.decode("utf-8", "replace"))
    return f"HTTP {status}: {text}" if text else f"HTTP {status}"
