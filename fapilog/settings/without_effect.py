"""Settings that were given and change nothing, because what they are about is off."""

from __future__ import annotations

from collections.abc import Iterator

from fapilog.settings.model import Settings
from fapilog.settings.variables import ROWS


def without_effect(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each setting that has no effect, and a sentence that says why and what to do.

    Args:
        settings: Validated settings.

    Example:
        >>> for _, said in without_effect(Settings(durability="memory", ring={"limit_bytes": 1 << 20})):
        ...     print(said)
        ring.limit_bytes (argument) has no effect, because durability is 'memory': set durability (FAPILOG_DURABILITY) to 'process' or 'power', or leave it out
    """  # noqa: E501 - the sentence is one line
    defaults = type(settings).model_construct()
    for name in ROWS:
        reason = _reason(settings, name)
        if reason and settings.origin(name) != "default" and _value(settings, name) != _value(defaults, name):
            yield name, f"{name} ({settings.origin(name)}) has no effect, because {reason}, or leave it out"


def _reason(settings: Settings, name: str) -> str:
    if name.startswith("spool.") and settings.spool.directory is None:
        return "there is no spool: set spool.directory (FAPILOG_SPOOL_DIRECTORY)"
    if name.startswith("ring.") and settings.durability == "memory":
        return "durability is 'memory': set durability (FAPILOG_DURABILITY) to 'process' or 'power'"
    return ""


def _value(settings: Settings, name: str) -> object:
    group, _, field = name.partition(".")
    value = getattr(settings, group)
    return getattr(value, field) if field and "." not in field else value
