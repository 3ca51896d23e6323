"""Which plugins may be used, and how long one may take to load."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from fapilog.plugins.groups import spellings

LOAD_SECONDS = 10.0
PACKAGE = "package:"


@dataclass(frozen=True)
class PluginPolicy:
    """What the settings `plugins.*` say.

    Names are `name`, `group:name` or `package:distribution`, in any spelling that pip takes. `deny` wins.

    Attributes:
        allow: Those that may be used; None: all.
        deny: Those that may not.
        load_seconds: Longest time to import one, and to make it.

    Example:
        >>> policy = PluginPolicy(deny=frozenset({"enrichers:team"}))
        >>> policy.refusal("fapilog.enrichers", "team", "acme-logs")
        'plugins.deny names enrichers:team'
        >>> policy.refusal("fapilog.processors", "team", "acme-logs")
        ''
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    load_seconds: float = LOAD_SECONDS

    def refusal(self, group: str, name: str, distribution: str) -> str:
        """Return why a plugin may not be used; empty: it may."""
        names = {name, *(f"{spelling}:{name}" for spelling in spellings(group))}
        if by := _naming(self.deny, names, distribution):
            return f"plugins.deny names {min(by)}"
        if self.allow is not None and not _naming(self.allow, names, distribution):
            return "plugins.allow does not name it"
        return ""


def _naming(entries: Collection[str], names: Collection[str], distribution: str) -> list[str]:
    """Return the entries of a list that mean this plugin, as they are written."""
    package = _normal(distribution)
    return [
        entry
        for entry in entries
        if entry in names
        or (package and entry.startswith(PACKAGE) and _normal(entry.removeprefix(PACKAGE)) == package)
    ]


def _normal(distribution: str) -> str:
    """One spelling of a package's name: pip takes `Acme_Logs`, `acme.logs` and `acme-logs` for the same."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()
