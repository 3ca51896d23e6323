"""Errors of this package, and of hooks: counted and said, and the request goes on. Thread: caller."""

from __future__ import annotations

import logging

_log = logging.getLogger("fapilog_instrumentation_fastapi")


class OwnErrors:
    """Counts what went wrong in this package.

    Attributes:
        count: How many errors there were.
        last: The newest one, as text; empty before the first.
    """

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last = ""

    def add(self, error: Exception, doing: str) -> None:
        """Count an error; the first of each thousand is logged, with its stack."""
        self.count += 1
        try:
            self.last = f"{doing}: {type(error).__name__}: {error}"
            if self.count % 1_000 == 1:
                _log.warning(
                    "request logging failed %d times; the requests go on", self.count, exc_info=error
                )
        except Exception:
            self.last = doing
