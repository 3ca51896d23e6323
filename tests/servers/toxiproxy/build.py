"""Builds the toxiproxy of this directory: half a minute, once per version of its sources.

Runnable: `python -m tests.servers.toxiproxy.build` prints the path.
"""

import sys
from pathlib import Path

from tests.servers import go_program
from tests.servers.go_program import GoBuildError, GoMissing

SOURCES = Path(__file__).resolve().parent
CACHE = SOURCES.parents[2] / ".cache" / "toxiproxy"


def build() -> Path:
    """Answers the path of toxiproxy, built if need be; raises as `go_program.build` does."""
    return go_program.build(SOURCES, CACHE, "toxiproxy-test", "toxiproxy")


if __name__ == "__main__":
    try:
        print(build())
    except (GoMissing, GoBuildError) as error:
        sys.exit(f"NOT BUILT: {error}")
