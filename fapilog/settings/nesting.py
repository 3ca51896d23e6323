"""Nested settings and their dotted names: two forms of the same values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from fapilog.settings.groups import nested


def leaves(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested values to dotted names; what is no group, or no setting at all, stays whole.

    A word in place of a group that names a setting in `short_for` is that setting: `redaction="scan"`. A
    name in `short_names` of the model is the setting that stands there: `minimise=True`. Its full name wins.
    """
    short_names = getattr(model, "short_names", {})
    found: dict[str, Any] = {
        f"{prefix}{short_names[key]}": value for key, value in values.items() if key in short_names
    }
    for key, value in values.items():
        info = model.model_fields.get(str(key))
        group = nested(info.annotation) if info else None
        if group and isinstance(value, Mapping):
            found |= leaves(group, value, f"{prefix}{key}.")
        elif group and isinstance(value, str) and (short := getattr(group, "short_for", "")):
            found[f"{prefix}{key}.{short}"] = value
        elif key not in short_names:
            found[f"{prefix}{key}"] = value
    return found


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The opposite of `leaves`."""
    tree: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}  # made here: a mapping of the caller is never written to
    for name, value in flat.items():
        *parents, last = name.split(".")
        level = tree
        for depth, parent in enumerate(parents, start=1):
            path = ".".join(parents[:depth])
            if path not in groups:
                groups[path] = level[parent] = {}
            level = groups[path]
        level[last] = value
    return tree
