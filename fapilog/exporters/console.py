"""Stage 6 of 7, export: the console. Thread: caller, synchronously, so that order with `print` holds.

Lines are rendered natively from the redacted record; this module owns the stream.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Literal

from fapilog.settings import ConsoleSettings

Write = Callable[[str], object]


def writer(stream: Literal["stdout", "stderr"]) -> Write:
    """Return a function that writes to the stream as it is at each call, so a redirected one is honoured."""

    def write(text: str) -> None:
        target = getattr(sys, stream)
        target.write(text)
        target.flush()

    return write


def wants_colour(settings: ConsoleSettings, environ: Mapping[str, str] | None = None) -> bool:
    """Decide on colour: the setting, then `NO_COLOR`, then `FORCE_COLOR`, then whether it is a terminal.

    Example:
        >>> wants_colour(ConsoleSettings(colour="never"))
        False
    """
    environ = os.environ if environ is None else environ
    if settings.colour != "auto":
        return settings.colour == "always"
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or on_terminal(settings)


def on_terminal(settings: ConsoleSettings) -> bool:
    """Tell whether the console's stream is a terminal."""
    try:
        return bool(getattr(sys, settings.stream).isatty())
    except (AttributeError, ValueError):
        return False
