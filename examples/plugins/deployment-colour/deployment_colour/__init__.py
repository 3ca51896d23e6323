"""An enricher of fapilog: says which colour of a blue-green deployment logs."""

import os
from collections.abc import Mapping

from fapilog import PluginMetadata, PluginPerformance

fapilog_plugin = PluginMetadata(
    name="deployment_colour",
    version="0.1.0",
    type="enricher",
    description="Adds the colour of a blue-green deployment.",
    performance=PluginPerformance(call_micros=1_000),
)


def attributes() -> Mapping[str, str]:
    """Return the attributes of a record; called for each, so it does next to nothing."""
    return {"deployment.colour": os.environ.get("DEPLOYMENT_COLOUR", "blue")}
