"""What every adapter offers, and the defaults that most of them share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

from benchmarks.call_loops import (
    Loop,
    Stream,
    extra_loop,
    extra_stream,
    in_handler,
    keyword_loop,
    keyword_stream,
)
from benchmarks.scenarios import Scenario


class NotInstalledError(Exception):
    """The library is missing; it becomes a row of the report, never a silent gap."""


class Library:
    """One logging library, set up the way its documentation says.

    Subclasses give `method()`. Libraries that call with `extra=` set `style`.

    Attributes:
        name: Name in the report.
        distribution: Name of the installed distribution, for its version.
        imports: Module that a user imports.
        otlp: Whether the library sends to an OTLP receiver.
        signal: OTLP signal that it sends: `logs`, or `traces` when it exports its logs as spans.
    """

    name: ClassVar[str]
    distribution: ClassVar[str]
    imports: ClassVar[str]
    style: ClassVar[str] = "keywords"
    otlp: ClassVar[bool] = False
    signal: ClassVar[str] = "logs"

    def import_library(self) -> None:
        """Import the library, raising ImportError when it is missing."""
        import_module(self.imports)

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Configure the library once.

        Args:
            endpoint: Base URL of the OTLP receiver; unused by libraries that do not send.
            hold: Keep records queued until `flush()`, so that background work does not disturb a measurement.
        """
        raise NotImplementedError

    def method(self, scenario: Scenario) -> Callable[..., Any] | None:
        """Return the function to call, or None when the library has no such thing."""
        raise NotImplementedError

    def call(self, scenario: Scenario) -> Loop | None:
        """Return a function that makes n calls, or None when the library has no such thing."""
        method = self.method(scenario)
        if method is None:
            return None
        loop = (keyword_loop if self.style == "keywords" else extra_loop)(method, scenario)
        return in_handler(loop) if scenario.level == "exception" else loop

    def stream(self) -> Stream:
        """Return a function that logs a list of rows."""
        method = self.method(Scenario("stream", "stream"))
        assert method is not None
        return (keyword_stream if self.style == "keywords" else extra_stream)(method)

    def flush(self) -> bool:
        """Wait until everything logged so far is written or acknowledged."""
        return True

    def delivered(self) -> int | None:
        """Return the records that the receiver acknowledged, as the library itself knows it."""
        return None

    def ledger(self) -> dict[str, int]:
        """Return the library's own account of its records; empty when it keeps none."""
        return {}

    def close(self) -> None:
        """Shut down."""
