"""Builds a Go program of the tests once per version of its sources and answers the binary's path."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

# Cold, with all modules to download, the largest took 80 to 180 s on two cores.
BUILD_TIMEOUT_SECONDS = 1200


class GoMissing(RuntimeError):  # noqa: N818 - it is a finding about the machine, not a failure
    """Go is not installed, so the program cannot be built."""


class GoBuildError(RuntimeError):
    """`go build` ended with an error; the message holds its output."""


def binary_path(sources: Path, cache: Path, name: str) -> Path:
    """The place of the binary that belongs to the present sources, built or not."""
    digest = hashlib.sha256()
    for file in ("go.mod", "go.sum", "main.go"):
        digest.update((sources / file).read_bytes())
    return cache / digest.hexdigest()[:16] / name


def build(sources: Path, cache: Path, name: str, title: str) -> Path:
    """Answers the path of the program, and builds it first if these sources have no binary yet.

    Safe to call from several processes: one builds, the others wait for its result.

    Args:
        sources: The directory with go.mod, go.sum and main.go.
        cache: Where binaries are kept.
        name: Of the binary.
        title: What the program is called in messages.

    Raises:
        GoMissing: There is no binary yet and no `go` on the PATH.
        GoBuildError: `go build` failed or took longer than 20 minutes.
    """
    binary = binary_path(sources, cache, name)
    if binary.exists():
        return binary
    go = shutil.which("go")
    if go is None:
        raise GoMissing(f"Go is not installed (needed to build {title})")
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            print(f"Building {title} for the tests, once...", file=sys.stderr)
            _run_go_build(go, sources, binary)
    return binary


def _run_go_build(go: str, sources: Path, binary: Path) -> None:
    # A build that is interrupted must not leave a file under the final name.
    unfinished = binary.with_suffix(".unfinished")
    command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(unfinished), "."]
    started = time.monotonic()
    try:
        result = subprocess.run(
            command,
            cwd=sources,
            env=os.environ | {"CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GoBuildError(f"go build took longer than {BUILD_TIMEOUT_SECONDS} s") from error
    if result.returncode != 0:
        raise GoBuildError(f"{' '.join(command)} in {sources} failed:\n{result.stderr[-4000:]}")
    unfinished.rename(binary)
    print(f"Built in {time.monotonic() - started:.0f} s.", file=sys.stderr)
