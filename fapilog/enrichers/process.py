"""Built-in enricher `process`: attributes of the resource that tell the process (semantic conventions)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fapilog.enrichers.base import Source
from fapilog.settings import Settings


def source(settings: Settings) -> Source:
    """Make the enricher. `process.command_args` needs `enrichment.command_args`: it may hold secrets."""
    command_args = settings.enrichment.command_args
    return Source("process", describe=lambda: attributes(command_args=command_args))


def attributes(*, command_args: bool = False) -> dict[str, object]:
    """Return what tells this process from others.

    Example:
        >>> attributes()["process.pid"] == os.getpid()
        True
    """
    found: dict[str, object] = {
        "process.pid": os.getpid(),
        "process.executable.name": Path(sys.executable).name,
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": ".".join(map(str, sys.version_info[:3])),
    }
    if command_args:
        found["process.command_args"] = tuple(sys.orig_argv)
    return found
