"""Figures and rows: the pure part of the benchmarks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Goal:
    """What fapilog should reach.

    Attributes:
        at_most: Upper bound, or None.
        at_least: Lower bound, or None.
        of: `value`, or `ratio` to the baseline of the same row.
    """

    at_most: float | None = None
    at_least: float | None = None
    of: str = "value"

    def met(self, row: Row) -> bool | None:
        """Return whether the row meets the goal; None when it was not measured."""
        measured = row.ratio if self.of == "ratio" else row.value
        if measured is None:
            return None
        return (self.at_most is None or measured <= self.at_most) and (
            self.at_least is None or measured >= self.at_least
        )


@dataclass(frozen=True)
class Row:
    """One figure of one library.

    Attributes:
        library: Name in the report.
        measurement: What was measured; rows of equal measurement stand in one column.
        value: The figure, or None when there is none; `note` then says why.
        unit: Unit of `value`.
        ratio: `value` in multiples of the baseline measured in the same process, if there is one.
        goal: For fapilog's rows only.
        note: What a reader must know to judge the figure.
        headline: Whether the README shows it.
        better: `lower` or `higher`.
        group: Rows of one group share a table.
    """

    library: str
    measurement: str
    value: float | None
    unit: str
    ratio: float | None = None
    goal: Goal | None = None
    note: str = ""
    headline: bool = False
    better: str = "lower"
    group: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a plain mapping for the results file."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Row:
        """Return the row that `to_json` wrote."""
        goal = data.get("goal")
        return cls(**{**data, "goal": Goal(**goal) if goal else None})


def missing(  # noqa: PLR0917 (the fields of a row, in its order)
    libraries: Iterable[str],
    measurement: str,
    unit: str,
    reason: str,
    goal: Goal | None = None,
    group: str = "",
) -> list[Row]:
    """Return the rows of libraries that could not be measured; fapilog's keeps its goal."""
    return [
        Row(name, measurement, None, unit, goal=goal if name == "fapilog" else None, note=reason, group=group)
        for name in libraries
    ]


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Return the nearest-rank percentile of sorted values.

    Args:
        ordered: Values in ascending order, at least one.
        fraction: 0 < fraction <= 1; 0.5 is the median.
    """
    if not ordered:
        raise ValueError("percentile of no values: measure at least one")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}; it must be above 0 and at most 1")
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def best(values: Iterable[float]) -> float:
    """Return the smallest value: the run that the machine disturbed least."""
    return min(values)


def format_value(value: float | None, unit: str) -> str:
    """Return a figure for people: three significant digits, thousands in groups."""
    if value is None:
        return "n/a"
    if value >= 1000:
        digits = 2 - math.floor(math.log10(value))
        text = f"{round(value, min(digits, 0)):,.0f}"
    elif value == int(value):
        text = str(int(value))
    else:
        text = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{text} {unit}".strip()


def format_ratio(ratio: float | None) -> str:
    """Return a multiple of the baseline, or nothing."""
    if ratio is None:
        return ""
    return f"{ratio:.2g} {TIMES}" if ratio < 10 else f"{ratio:,.0f} {TIMES}"
