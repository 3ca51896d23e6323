"""What installed packages add through entry points: found late, loaded one by one, isolated.

`groups` says what the groups hold, `metadata` what a plugin may say of itself, `policy` which may be used,
`loading` runs its code within a time, `registry` finds and keeps them. Nothing is loaded at import.
"""

from fapilog.plugins.groups import (
    AUTH,
    COMMANDS,
    DETECTORS,
    ENRICHERS,
    EXPORTERS,
    GROUPS,
    INSTRUMENTORS,
    KEY_PROVIDERS,
    METRICS_EXPORTERS,
    PROCESSORS,
    PROFILES,
    TRACES_EXPORTERS,
    batch_function,
    is_async,
    is_log_record_processor,
)
from fapilog.plugins.metadata import (
    CONTRACT_ATTRIBUTE,
    CONTRACT_VERSION,
    OLDEST_CONTRACT,
    PluginMetadata,
    PluginPerformance,
    check_contract,
    metadata_of,
)
from fapilog.plugins.policy import PluginPolicy
from fapilog.plugins.registry import Plugin, Plugins, PluginUnusableError, left_out

__all__ = [
    "AUTH",
    "COMMANDS",
    "CONTRACT_ATTRIBUTE",
    "CONTRACT_VERSION",
    "DETECTORS",
    "ENRICHERS",
    "EXPORTERS",
    "GROUPS",
    "INSTRUMENTORS",
    "KEY_PROVIDERS",
    "METRICS_EXPORTERS",
    "OLDEST_CONTRACT",
    "PROCESSORS",
    "PROFILES",
    "TRACES_EXPORTERS",
    "Plugin",
    "PluginMetadata",
    "PluginPerformance",
    "PluginPolicy",
    "PluginUnusableError",
    "Plugins",
    "batch_function",
    "check_contract",
    "is_async",
    "is_log_record_processor",
    "left_out",
    "metadata_of",
]
