"""The enrichers that have a name of their own, loaded when they are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from fapilog.enrichers.base import Source
from fapilog.settings import Settings

# Name: module, and what it adds. `docs/how-to/enrich_records.md` says more.
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "asyncio": "tasks:asyncio_source",
        "thread": "tasks:thread_source",
        "process": "process:source",
        "host": "host:source",
        "container": "container:source",
        "kubernetes": "kubernetes:source",
        "user": "user:source",
        "system": "system:source",
    }
)


def built_in(name: str, settings: Settings) -> Source:
    """Return the enricher of a name in `BUILT_IN`."""
    module, _, function = BUILT_IN[name].partition(":")
    made: Source = getattr(import_module(f"fapilog.enrichers.{module}"), function)(settings)
    return made
