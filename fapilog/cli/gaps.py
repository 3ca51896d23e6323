"""`fapilog gaps`: which records are missing in files of OTLP JSON lines, and which came twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from fapilog.testing import gaps as reading

_SHOWN = 20
_FOUND = 1


def gaps(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="OTLP JSON lines.")],
) -> None:
    """Name gaps and duplicates per process; exit code 1 if there are any, 2 if a file cannot be read."""
    try:
        found = reading.find_gaps(_lines(files))
    except (ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    for each in found:
        typer.echo(_shown(each))
    if not all(each.complete for each in found):
        sys.exit(_FOUND)


def _lines(files: Sequence[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as lines:
            yield from lines


def _shown(found: reading.Sequence) -> str:
    name = " ".join(part for part in (found.service, found.instance) if part) or "a process without a name"
    parts = [f"{name}: {found.records} records"]
    if found.records:
        parts[0] += f", numbers {found.first} to {found.last}"
    if found.gaps:
        parts.append(f"{found.missing} missing: {_ranges(found.gaps)}")
    if found.duplicates:
        parts.append(f"{len(found.duplicates)} came twice: {_ranges([(n, n) for n in found.duplicates])}")
    if found.unnumbered:
        parts.append(f"{found.unnumbered} without a number")
    return "; ".join(parts if len(parts) > 1 else [*parts, "complete"])


def _ranges(ranges: Sequence[tuple[int, int]]) -> str:
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:_SHOWN]]
    return ", ".join([*shown, f"and {len(ranges) - _SHOWN} more"] if len(ranges) > _SHOWN else shown)
