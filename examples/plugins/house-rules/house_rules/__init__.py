"""A compliance profile of fapilog: the house rules for logs, as data."""

from pathlib import Path

from fapilog import PluginMetadata
from fapilog.compliance import Profile, read

fapilog_plugin = PluginMetadata(name="house-rules", version="0.1.0", type="profile")


def profile() -> Profile:
    """Return the profile."""
    return read(Path(__file__).with_name("profile.toml"))
