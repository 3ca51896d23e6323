"""Which plugins may be used, and how long one may take to load."""

from __future__ import annotations

from dataclasses import dataclass

from fapilog.plugins.groups import spellings

LOAD_SECONDS = 10.0
PACKAGE = "package:"


@dataclass(frozen=True)
class PluginPolicy:
    """What the settings `plugins.*` say.

    Names are `name`, `group:name` or `package:distribution`. `deny` wins.

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
        names |= {f"{PACKAGE}{distribution}"} if distribution else set()
        if by := self.deny & names:
            return f"plugins.deny names {min(by)}"
        if self.allow is not None and not self.allow & names:
            return "plugins.allow does not name it"
        return ""
