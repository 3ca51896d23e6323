"""loguru with a serialising sink."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.libraries.base import Library
from benchmarks.scenarios import Scenario


class Loguru(Library):
    """`serialize=True` to the null device, without frame variables in tracebacks (its production advice)."""

    name = "loguru"
    distribution = "loguru"
    imports = "loguru"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:  # noqa: ARG002
        """Replace the default sink."""
        from loguru import logger

        logger.remove()
        logger.add(
            Path(os.devnull).open("w", encoding="utf-8"),  # noqa: SIM115
            level="INFO",
            serialize=True,
            backtrace=False,
            diagnose=False,
        )
        self._log = logger

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method."""
        log = self._log.bind(**scenario.bound) if scenario.bound else self._log
        return getattr(log, scenario.level)
