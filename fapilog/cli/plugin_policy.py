"""Which plugins the command line may load: what the variables say, as no settings file is read yet."""

from __future__ import annotations

import os

from fapilog.plugins import Plugins
from fapilog.settings.plugins import policy_of_variables


def installed_plugins() -> Plugins:
    """Return the plugins of this environment, seen through the variables of the process."""
    return Plugins(policy_of_variables(os.environ))
