"""picologging, the drop-in for `logging` in C++ (Python below 3.13 only)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.libraries.base import Library
from benchmarks.scenarios import Scenario


class Picologging(Library):
    """One line of text to the null device; its formatter has no JSON and leaves `extra` out."""

    name = "picologging"
    distribution = "picologging"
    imports = "picologging"
    style = "extra"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:  # noqa: ARG002
        """Install a stream handler."""
        import picologging

        handler = picologging.StreamHandler(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        handler.setFormatter(picologging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._log = picologging.getLogger("shop")
        self._log.setLevel(picologging.INFO)
        self._log.addHandler(handler)

    def method(self, scenario: Scenario) -> Callable[..., Any]:
        """Return the level method."""
        return getattr(self._log, scenario.level)
