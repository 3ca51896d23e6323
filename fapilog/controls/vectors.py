"""The bundled values: synthetic, valid by their checksum, and texts that look like them and are none."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class Vector:
    """A sensitive value and what speaks for it.

    Attributes:
        type: The type that stage 3 knows it as, such as `PAN`.
        value: What must not arrive.
        key: Name of an attribute that speaks for it.
        field: The attribute's value, with the sensitive value inside.
        text: A sentence that speaks for it, with the value inside; "" where no sentence does.
        stays: Texts that look like the type, are none, and must arrive as they are.
    """

    type: str
    value: str
    key: str
    field: str
    text: str
    stays: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def vectors() -> tuple[Vector, ...]:
    """Return the bundled vectors, at least one for each type.

    Example:
        >>> sorted({vector.type for vector in vectors()})[:3]
        ['ADDRESS', 'ANTHROPIC_KEY', 'API_KEY_GENERIC']
    """
    source = files("fapilog.controls").joinpath("vectors.toml").read_text(encoding="utf-8")
    return tuple(_vector(row) for row in tomllib.loads(source)["vectors"])


def _vector(row: dict[str, object]) -> Vector:
    pieces, stays = row["value"], row.get("stays", ())
    if not isinstance(pieces, list) or not isinstance(stays, (list, tuple)):
        raise TypeError(f"vectors.toml: {row.get('type')} needs lists")
    value = "".join(map(str, pieces))
    return Vector(
        type=str(row["type"]),
        value=value,
        key=str(row["key"]),
        field=str(row.get("field", "{}")).replace("{}", value),
        text=str(row.get("text", "")).replace("{}", value),
        stays=tuple(map(str, stays)),
    )
