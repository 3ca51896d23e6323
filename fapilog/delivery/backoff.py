"""Stage 6 of 7, export: how long until a batch is tried again, as `native/src/export/retry.rs`. Pure.

Exponential backoff with full jitter: uniform between zero and a ceiling that doubles, so that many processes
that lost the same destination do not come back to it in step. A pause that it asked for is a floor.
"""

from __future__ import annotations

from fapilog.settings import RetrySettings

_MAX_DOUBLINGS = 32


def pause_seconds(attempt: int, after_millis: int | None, settings: RetrySettings, random: float) -> float:
    """Return the pause after failure number `attempt` (the first is 0).

    Args:
        attempt: Failures of this batch before this one.
        after_millis: What the destination asked for; honoured up to `max_retry_after_millis`.
        settings: Initial and longest backoff.
        random: Uniform in 0..1.

    Example:
        >>> pause_seconds(1, 500, RetrySettings(initial_backoff_millis=1_000), random=0.5)
        1.5
    """
    doubled = settings.initial_backoff_millis << min(attempt, _MAX_DOUBLINGS)
    ceiling = min(doubled, settings.max_backoff_millis)
    return asked_seconds(after_millis, settings) + ceiling * random / 1_000


def asked_seconds(after_millis: int | None, settings: RetrySettings) -> float:
    """Return the pause that the destination asked for, as far as it is honoured."""
    return max(0, min(after_millis or 0, settings.max_retry_after_millis)) / 1_000
