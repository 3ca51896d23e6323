"""Settings of plugins: which may be used, and what they may cost. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from fapilog.plugins import PluginPolicy
from fapilog.settings import parse
from fapilog.settings.types import Group, Names, Positive
from fapilog.settings.variables import ROWS


class PluginSettings(Group):
    """Which plugins may be used, as `name`, `group:name` or `package:distribution`, and their costs."""

    allow: Names | None = Field(
        None,
        description="Plugins that may be used. None: every one that is installed and named in a setting.",
    )
    deny: Names = Field(
        (), description="Plugins that are left alone, never imported; `deny` wins over `allow`."
    )
    load_timeout_millis: Positive = Field(
        10_000, description="Longest time to import one, and to make it; then it is left out."
    )
    call_budget_micros: Positive = Field(
        1_000,
        description="What one call of a plugin that is asked within a log call (enricher, log record"
        " processor) should take at most. Longer calls are counted, not broken off.",
    )

    @property
    def policy(self) -> PluginPolicy:
        """What `fapilog.plugins.Plugins` takes."""
        allow = None if self.allow is None else frozenset(self.allow)
        return PluginPolicy(allow, frozenset(self.deny), self.load_timeout_millis / 1_000)


def policy_of_variables(environ: Mapping[str, str]) -> PluginPolicy:
    """Return what FAPILOG_PLUGINS_ALLOW and FAPILOG_PLUGINS_DENY say, where no settings file is read yet.

    Example:
        >>> policy_of_variables({"FAPILOG_PLUGINS_DENY": "team"}).deny
        frozenset({'team'})
    """
    allow, deny = (_names(f"plugins.{name}", environ) for name in ("allow", "deny"))
    return PluginPolicy(allow, deny or frozenset())


def _names(setting: str, environ: Mapping[str, str]) -> frozenset[str] | None:
    given = (environ.get(variable.name) for variable in ROWS[setting].variables)
    found = next((value for value in given if value), None)
    return None if found is None else frozenset(parse.names(found))
