"""Settings that were given and change nothing, because what they are about is off."""

from __future__ import annotations

from collections.abc import Iterator

from fapilog.settings.model import Settings
from fapilog.settings.variables import ROWS

_UNSCANNED = "values are looked for only in the mode 'scan'"


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
        reason, origin = _reason(settings, name), settings.origin(name)
        # What a profile fills in nobody wrote, so nobody can leave it out.
        written = origin != "default" and not origin.startswith("profile ")
        if reason and written and _value(settings, name) != _value(defaults, name):
            yield name, f"{name} ({origin}) has no effect, because {reason}, or leave it out"
    yield from _destinations(settings)


def _reason(settings: Settings, name: str) -> str:
    if name.startswith("spool.") and settings.spool.directory is None:
        return "there is no spool: set spool.directory (FAPILOG_SPOOL_DIRECTORY)"
    if name.startswith("ring.") and settings.durability == "memory":
        return "durability is 'memory': set durability (FAPILOG_DURABILITY) to 'process' or 'power'"
    if name == "redaction.actions" and not _scans(settings):
        return f"{_UNSCANNED}: set redaction.mode (FAPILOG_REDACTION) to 'scan'"
    return ""


def _scans(settings: Settings) -> bool:
    """Whether values are looked for, for all exporters or for one."""
    policy = settings.redaction_in_force
    return "scan" in {policy.mode, *(own.mode for own in policy.destinations.values())}


def _destinations(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what is said of exporters with actions for types that nobody looks for."""
    policy, origin = settings.redaction_in_force, settings.origin("redaction.destinations")
    for name, own in policy.destinations.items():
        if own.actions and "scan" not in {policy.mode, own.mode}:
            said = f"redaction.destinations ({origin}): the actions of {name} have no effect, because"
            do = f"set the mode of {name} to 'scan', or leave them out"
            yield f"redaction.destinations.{name}", f"{said} {_UNSCANNED}: {do}"


def _value(settings: Settings, name: str) -> object:
    group, _, field = name.partition(".")
    value = getattr(settings, group)
    return getattr(value, field) if field and "." not in field else value
