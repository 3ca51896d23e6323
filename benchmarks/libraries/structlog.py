"""structlog as its performance page advises: cached filtering logger, JSON, written to the null device."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.libraries.base import Library
from benchmarks.scenarios import Scenario


class Structlog(Library):
    """contextvars, level, ISO timestamp, exception text, JSON."""

    name = "structlog"
    distribution = "structlog"
    imports = "structlog"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:  # noqa: ARG002
        """Configure the processor chain of a production service."""
        import structlog

        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.WriteLoggerFactory(
                file=Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            ),
            cache_logger_on_first_use=True,
        )
        self._log = structlog.get_logger("shop")

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method; `bind()` also resolves the lazy proxy, as the documentation advises."""
        return getattr(self._log.bind(**scenario.bound), scenario.level)
