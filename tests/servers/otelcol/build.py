"""Builds the Collector of this directory: one to three minutes, once per version of its sources.

Runnable: `python -m tests.servers.otelcol.build` prints the path.
"""

import sys
from pathlib import Path

from tests.servers import go_program
from tests.servers.go_program import GoBuildError, GoMissing

SOURCES = Path(__file__).resolve().parent
CACHE = SOURCES.parents[2] / ".cache" / "otelcol"
BINARY_NAME = "otelcol-test"


def binary_path() -> Path:
    """The place of the binary that belongs to the present sources, built or not."""
    return go_program.binary_path(SOURCES, CACHE, BINARY_NAME)


def build() -> Path:
    """Answers the path of the Collector, built if need be; raises as `go_program.build` does."""
    return go_program.build(SOURCES, CACHE, BINARY_NAME, "the Collector")


if __name__ == "__main__":
    try:
        print(build())
    except (GoMissing, GoBuildError) as error:
        sys.exit(f"NOT BUILT: {error}")
