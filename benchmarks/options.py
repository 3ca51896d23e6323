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
    """

    quick: bool = False

    def pick(self, full: T, quick: T) -> T:
        """Return the count for this run."""
        return quick if self.quick else full

    @classmethod
    def from_arguments(cls) -> Options:
        """Read the command line of one benchmark."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--quick", action="store_true", help="smaller counts, fewer rounds")
        return cls(quick=parser.parse_args().quick)
