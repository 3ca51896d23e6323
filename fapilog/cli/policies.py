"""Which redaction policy a command works with: of the settings, of a profile, or a mode by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from fapilog.settings import Settings, parse
from fapilog.settings.redaction import RedactionSettings

_FILES = (".yaml", ".yml", ".json")


class Policy(NamedTuple):
    """A policy and what to call it."""

    name: str
    redaction: RedactionSettings


def overrides(profiles: Sequence[str]) -> dict[str, Any]:
    """Return what `--profile` changes of the settings: each names one profile, or several between commas.

    Raises:
        BadParameter: It names none.

    Example:
        >>> overrides(["pci-dss,hipaa", "gdpr"]), overrides([])
        ({'compliance': ('pci-dss', 'hipaa', 'gdpr')}, {})
    """
    found = tuple(name for each in profiles for name in parse.names(each))
    if profiles and not found:
        raise typer.BadParameter("--profile names no profile")
    return {"compliance": found} if found else {}


def current(path: Path | None, profiles: Sequence[str]) -> Policy:
    """Return the policy that a service started here would use; `scan` if the settings choose no mode.

    Args:
        path: Settings file; None: the environment alone.
        profiles: Compliance profiles in place of those of the settings; none: those of the settings.

    Raises:
        ConfigurationError: The settings are wrong, or a profile refuses them.
    """
    settings = Settings.load(path, **overrides(profiles))
    if settings.compliance:
        return Policy(" + ".join(map(str, settings.compliance)), settings.redaction_in_force)
    if settings.origin("redaction.mode") == "default":
        scanning = settings.redaction_in_force.model_copy(update={"mode": "scan"})
        return Policy("scan, because the settings choose no mode", scanning)
    return Policy(f"{settings.redaction_in_force.mode}, as the settings say", settings.redaction_in_force)


def named(word: str) -> Policy:
    """Return a policy by its name: `keys`, `scan`, a settings file, or compliance profiles.

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
    return Policy(word, Settings.load(environ={}, **overrides([word])).redaction_in_force)
