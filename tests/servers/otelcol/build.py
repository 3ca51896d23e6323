"""Builds the Collector of this directory once per version of its sources and answers the binary's path.

Runnable as a script (`python tests/servers/otelcol/build.py`), which prints the path.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
CACHE = SOURCES.parents[2] / ".cache" / "otelcol"
BINARY_NAME = "otelcol-test"
# Cold, with all modules to download, it took 80 to 180 s on two cores.
BUILD_TIMEOUT_SECONDS = 1200


class GoMissing(RuntimeError):  # noqa: N818 - it is a finding about the machine, not a failure
    """Go is not installed, so the Collector cannot be built."""


class CollectorBuildError(RuntimeError):
    """`go build` ended with an error; the message holds its output."""


def binary_path() -> Path:
    """The place of the binary that belongs to the present sources, built or not."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((SOURCES / name).read_bytes())
    return CACHE / digest.hexdigest()[:16] / BINARY_NAME


def build() -> Path:
    """Answers the path of the Collector, and builds it first if these sources have no binary yet.

    Safe to call from several processes: one builds, the others wait for its result.

    Raises:
        GoMissing: There is no binary yet and no `go` on the PATH.
        CollectorBuildError: `go build` failed or took longer than 20 minutes.
    """
    binary = binary_path()
    if binary.exists():
        return binary
    go = shutil.which("go")
    if go is None:
        raise GoMissing("Go is not installed (needed to build the Collector)")
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _run_go_build(go, binary)
    return binary


def _run_go_build(go: str, binary: Path) -> None:
    # A build that is interrupted must not leave a file under the final name.
    unfinished = binary.with_suffix(".unfinished")
    command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(unfinished), "."]
    print(
        "Building the OpenTelemetry Collector for the tests (once; one to three minutes)...", file=sys.stderr
    )
    started = time.monotonic()
    try:
        result = subprocess.run(
            command,
            cwd=SOURCES,
            env=os.environ | {"CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CollectorBuildError(f"go build took longer than {BUILD_TIMEOUT_SECONDS} s") from error
    if result.returncode != 0:
        raise CollectorBuildError(f"{' '.join(command)} in {SOURCES} failed:\n{result.stderr[-4000:]}")
    unfinished.rename(binary)
    print(f"Built in {time.monotonic() - started:.0f} s.", file=sys.stderr)


if __name__ == "__main__":
    try:
        print(build())
    except (GoMissing, CollectorBuildError) as error:
        sys.exit(f"NOT BUILT: {error}")
