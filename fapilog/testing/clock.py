"""A clock that stands still, for tests that compare whole records."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from fapilog._native import Pipeline
from fapilog.logger import default_handle

# 2026-01-01T00:00:00Z
_START_UNIX_NANOS = 1_767_225_600_000_000_000


class FakeClock:
    """Fixes the time that stamps records, inside a `with` block.

    It changes `time_unix_nano` and `observed_time_unix_nano` of records, nothing else: timeouts, retries and
    spans keep the real time.

    Args:
        unix_nanos: Nanoseconds since 1970. Default: 2026-01-01T00:00:00Z.
        pipeline: Whose clock. Default: the one that loggers of `get_logger` use when the block is entered.

    Raises:
        RuntimeError: On entering the block, if no pipeline is given and nothing is configured yet.
        ValueError: If a time is not after 1970, or is beyond 64 bits.

    Example:
        >>> import fapilog
        >>> from fapilog.testing import capture_logs
        >>> with capture_logs() as logs, FakeClock(1_000_000_000) as clock:
        ...     log = fapilog.get_logger("orders")
        ...     _ = log.info("started")
        ...     clock.advance_millis(250)
        ...     _ = log.info("done")
        >>> [record.time_unix_nano for record in logs]
        [1000000000, 1250000000]
    """

    def __init__(self, unix_nanos: int = _START_UNIX_NANOS, *, pipeline: Pipeline | None = None) -> None:
        self._pipeline = pipeline
        self._fixed: Pipeline | None = None
        self._now = _checked(unix_nanos)

    @property
    def unix_nanos(self) -> int:
        """The time it shows, in nanoseconds since 1970."""
        return self._now

    def set(self, unix_nanos: int) -> None:
        """Show another time, earlier or later."""
        self._now = _checked(unix_nanos)
        if self._fixed is not None:
            self._fixed.fix_clock(self._now)

    def advance_millis(self, millis: float) -> None:
        """Let so many milliseconds pass; a negative number turns the clock back."""
        self.set(self._now + round(millis * 1_000_000))

    def __enter__(self) -> Self:
        pipeline = self._pipeline if self._pipeline is not None else default_handle.pipeline
        if pipeline is None:
            raise RuntimeError(
                "FakeClock: nothing is configured, so there is no clock to fix;"
                " enter capture_logs() or call configure_otel() first, or give pipeline="
            )
        self._fixed = pipeline
        pipeline.fix_clock(self._now)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fixed is not None:
            self._fixed.fix_clock(0)
            self._fixed = None


def _checked(unix_nanos: int) -> int:
    # 0 gives the pipeline its system clock back.
    if not 0 < unix_nanos < 2**64:
        raise ValueError(
            f"FakeClock: {unix_nanos} is no time: nanoseconds since 1970, above 0 and below 2**64"
        )
    return unix_nanos
