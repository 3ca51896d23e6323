"""What a plugin says of itself, and the version of what fapilog and a plugin expect of each other."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# Raised when a plugin that worked would not work any more; the oldest one that still does stays beside it.
CONTRACT_VERSION = 1
OLDEST_CONTRACT = 1
# A plugin without metadata may name its contract in the first; one without either counts as version 1.
CONTRACT_ATTRIBUTE = "fapilog_contract"
METADATA_ATTRIBUTE = "fapilog_plugin"

PluginType = Literal[
    "exporter",
    "processor",
    "enricher",
    "detector",
    "profile",
    "command",
    "auth",
    "key_provider",
    "traces_exporter",
    "metrics_exporter",
    "instrumentor",
]


@dataclass(frozen=True, kw_only=True)
class PluginPerformance:
    """What the author of a plugin promises it costs; `fapilog plugins validate` measures it.

    Attributes:
        records_per_second: Records that it takes in a second, at least. None: nothing is promised.
        call_micros: Median time of one call, at most, in microseconds. None: nothing is promised.
    """

    records_per_second: float | None = None
    call_micros: float | None = None


@dataclass(frozen=True, kw_only=True)
class PluginMetadata:
    """What a plugin says of itself, in the attribute `fapilog_plugin` of its object or of its module.

    Attributes:
        name: As its entry point.
        version: Of the plugin.
        type: What it is.
        api_version: The version of the contract that it was made for.
        description: One sentence.
        settings: A pydantic model or a JSON schema of its settings; None: it has none.
        performance: What it promises to cost.
        certified_profiles: Names of compliance profiles that its author has checked it under. A claim of the
            author: fapilog shows it, and checks nothing.

    Example:
        >>> PluginMetadata(name="team", version="1.0", type="enricher").api_version
        1
    """

    name: str
    version: str
    type: PluginType
    api_version: int = 1
    description: str = ""
    settings: Any = None
    performance: PluginPerformance = field(default_factory=PluginPerformance)
    certified_profiles: tuple[str, ...] = ()

    def settings_schema(self) -> Mapping[str, Any] | None:
        """Return the JSON schema of the settings; None: there are none."""
        make = getattr(self.settings, "model_json_schema", None)
        schema: Mapping[str, Any] | None = make() if callable(make) else self.settings
        return schema


def metadata_of(target: Any, module: str = "") -> PluginMetadata | None:
    """Return what a plugin says of itself: the object, its class, or its module; None: nothing.

    Args:
        target: The object.
        module: The module that the entry point names; empty: the one that defines the object.

    Raises:
        TypeError: The attribute holds something else.
    """
    modules = [sys.modules.get(name or "") for name in (module, getattr(target, "__module__", None))]
    for place in (target, *modules):
        found = getattr(place, METADATA_ATTRIBUTE, None)
        if isinstance(found, PluginMetadata):
            return found
        if found is not None:
            raise TypeError(f"{METADATA_ATTRIBUTE} is a {type(found).__name__}, not a PluginMetadata")
    return None


def check_contract(target: Any, module: str = "") -> PluginMetadata | None:
    """Return the metadata of a plugin that was made for a contract that this fapilog keeps.

    Args:
        target: The object.
        module: As `metadata_of`.

    Raises:
        TypeError: It was made for another one: the message says whether to update it or fapilog.
    """
    metadata = metadata_of(target, module)
    stated = CONTRACT_VERSION if metadata is None else metadata.api_version
    contract = getattr(target, CONTRACT_ATTRIBUTE, stated)
    if not isinstance(contract, int) or isinstance(contract, bool):
        raise TypeError(f"its plugin contract is {contract!r}, not a whole number")
    lead = f"it is made for plugin contract {contract!r}, this fapilog has {CONTRACT_VERSION}"
    if contract > CONTRACT_VERSION:
        raise TypeError(f"{lead}: update fapilog")
    if contract < OLDEST_CONTRACT:
        raise TypeError(f"{lead}: update the plugin")
    return metadata
