"""Which plugins the command line may load: what the variables say, as no settings file is read yet."""

from __future__ import annotations

import os
from collections.abc import Mapping

from fapilog.plugins import PluginPolicy, Plugins
from fapilog.settings import parse
from fapilog.settings.variables import ROWS


def installed_plugins() -> Plugins:
    """Return the plugins of this environment, seen through the variables of the process."""
    return Plugins(policy(os.environ))


def policy(environ: Mapping[str, str]) -> PluginPolicy:
    """Return what FAPILOG_PLUGINS_ALLOW and FAPILOG_PLUGINS_DENY say.

    Example:
        >>> policy({"FAPILOG_PLUGINS_DENY": "team"}).deny
        frozenset({'team'})
    """
    allow, deny = (_names(f"plugins.{name}", environ) for name in ("allow", "deny"))
    return PluginPolicy(allow, deny or frozenset())


def _names(setting: str, environ: Mapping[str, str]) -> frozenset[str] | None:
    given = (environ.get(variable.name) for variable in ROWS[setting].variables)
    found = next((value for value in given if value), None)
    return None if found is None else frozenset(parse.names(found))
