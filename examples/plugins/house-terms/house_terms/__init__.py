"""A detector of fapilog: rules for what is sensitive here, as data."""

from fapilog import PluginMetadata

fapilog_plugin = PluginMetadata(name="house_terms", version="0.1.0", type="detector")

# Name of the marker: a pattern (linear time: no look-around, no backreferences), words, or paths.
RULES = {
    "house-terms-ticket": {"pattern": "TCK-[0-9]{6}"},
    "house-terms-project": {"words": ["Blue Heron"]},
}
