"""Which redaction policy a command works with: of the settings, of a profile, or a mode by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fapilog.settings import Settings
from fapilog.settings.redaction import RedactionSettings

_FILES = (".yaml", ".yml", ".json")


class Policy(NamedTuple):
    """A policy and what to call it."""

    name: str
    redaction: RedactionSettings


def current(path: Path | None, profiles: Sequence[str]) -> Policy:
    """Return the policy that a service started here would use; `scan` if the settings choose no mode.

    Args:
        path: Settings file; None: the environment alone.
        profiles: Compliance profiles in place of those of the settings; none: those of the settings.

    Raises:
        ConfigurationError: The settings are wrong, or a profile refuses them.
    """
    changes: dict[str, Any] = {"compliance": tuple(profiles)} if profiles else {}
    settings = Settings.load(path, **changes)
    if settings.compliance:
        return Policy(" + ".join(map(str, settings.compliance)), settings.redaction_in_force)
    if settings.origin("redaction.mode") == "default":
        scanning = settings.redaction_in_force.model_copy(update={"mode": "scan"})
        return Policy("scan, because the settings choose no mode", scanning)
    return Policy(f"{settings.redaction_in_force.mode}, as the settings say", settings.redaction_in_force)


def named(word: str) -> Policy:
    """Return a policy by its name: `keys`, `scan`, a settings file, or a compliance profile.

    Raises:
        ConfigurationError: There is no such profile, or the file is wrong.

    Example:
        >>> named("keys").redaction.mode
        'keys'
    """
    if word in ("keys", "scan"):
        return Policy(word, RedactionSettings.model_validate({"mode": word}))
    if Path(word).suffix in _FILES:
        return Policy(word, Settings.load(Path(word)).redaction_in_force)
    return Policy(word, Settings.load(environ={}, compliance=(word,)).redaction_in_force)
