"""Where each value comes from, for people: `settings.explain()`. Secrets are masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from fapilog.errors import MASK
from fapilog.settings.parse import mask_path, mask_url
from fapilog.severity import Severity

# Resource attributes are no place for secrets, but people put them there.
_SECRET_KEY = re.compile(r"passw|secret|token|api[-_.]?key|credential|authorization", re.IGNORECASE)


@dataclass(frozen=True)
class Explained:
    """One setting: its value (plain data, secrets masked), its origin and the variables that can set it."""

    name: str
    value: object
    origin: str
    variables: tuple[str, ...]


class Explanation(list[Explained]):
    """The settings in order; `str()` is a table for people, `plain()` is for JSON."""

    def __str__(self) -> str:
        rows = [(item.name, text(item.value), item.origin, " ".join(item.variables)) for item in self]
        rows.insert(0, ("setting", "value", "from", "variables"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)) + "  " + row[3]
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)

    def plain(self) -> list[dict[str, Any]]:
        """The same as plain data."""
        return [asdict(item) for item in self]


def masked(name: str, value: object) -> object:
    """The value as plain data without secrets."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Severity):
        return value.text
    if isinstance(value, (Enum, Path)):
        return str(value)
    compact = getattr(value, "compact", None)
    if callable(compact):
        return compact()
    if isinstance(value, BaseModel):
        return {key: masked(key, getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        hides = name.rpartition(".")[2] != "actions"  # whose keys are types of secrets, not names of them
        return {
            key: MASK if hides and _SECRET_KEY.search(str(key)) else masked(name, item)
            for key, item in value.items()
        }
    if isinstance(value, (tuple, list)):
        return [masked(name, item) for item in value]
    return masked_text(name, value) if isinstance(value, str) else value


def masked_text(name: str, value: str) -> str:
    """A text setting without the credentials that URLs hold: in an endpoint, and in the path of a webhook."""
    if name.endswith("endpoint"):
        return mask_url(value)
    return mask_path(value) if name.rpartition(".")[2] == "url" else value


def text(value: object) -> str:
    """One line for a plain value."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or "-"
    return str(value)
