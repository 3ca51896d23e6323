"""Which of OpenTelemetry's tests run against us, and which cannot apply, with the reason for each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).with_name("suites.toml")


@dataclass(frozen=True)
class Suite:
    """Test files of one source distribution, and what stands in for upstream's classes while they run.

    Attributes:
        name: Short name, also the key of its function in `rebind.py`.
        distribution: Source distribution that contains the tests; those of the installed version run.
        files: Test files, relative to the distribution's root.
        stands_in: For people: whose place our classes take.
        reasons: Why a test cannot apply, by reason; the tests by `Class.test` or `test[parameter]`.
    """

    name: str
    distribution: str
    files: tuple[str, ...]
    stands_in: str
    reasons: Mapping[str, tuple[str, ...]]

    def excluded(self) -> dict[str, str]:
        """The tests that cannot apply, each with its reason."""
        return {test: reason for reason, tests in self.reasons.items() for test in tests}


def load() -> tuple[Suite, ...]:
    """Read the table of suites."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return tuple(
        Suite(
            name=name,
            distribution=row["distribution"],
            files=tuple(row["files"]),
            stands_in=row["stands_in"],
            reasons={reason["why"]: tuple(reason["tests"]) for reason in row.get("cannot_apply", ())},
        )
        for name, row in table.items()
    )
