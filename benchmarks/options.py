"""Options that every benchmark takes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Attributes:
        quick: Smaller counts and fewer rounds: for a look, not for a claim.
        short: Fewer rounds where a benchmark takes long, so that each ends within four minutes.
    """

    quick: bool = False
    short: bool = False

    def pick(self, full: T, quick: T, short: T | None = None) -> T:
        """Return the count for this run; a short one is a full one unless the benchmark says otherwise."""
        if self.quick:
            return quick
        return short if self.short and short is not None else full

    @classmethod
    def from_arguments(cls) -> Options:
        """Read the command line of one benchmark."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--quick", action="store_true", help="smaller counts, fewer rounds")
        parser.add_argument("--short", action="store_true", help="fewer rounds: four minutes at most")
        given = parser.parse_args()
        return cls(quick=given.quick, short=given.short)
