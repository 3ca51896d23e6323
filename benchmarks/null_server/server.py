"""Builds and runs the null server of this directory: seconds to build, once per version of its sources.

Runnable: `python -m benchmarks.null_server.server` prints the path of the binary.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.libraries import NotInstalledError
from benchmarks.servers import ROOT, stop

SOURCES = Path(__file__).resolve().parent
TARGET = ROOT / ".cache" / "null_server"
BUILD_TIMEOUT_SECONDS = 600
# Without a further record for so long, what is missing is lost.
QUIET_SECONDS = 3.0
POLL_SECONDS = 0.01


@dataclass
class NullServer:
    """A running server."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def stats(self) -> dict[str, int]:
        """Return what it has counted: requests, body_bytes, plain_bytes, records."""
        return stats(self.url)

    def cpu_seconds(self) -> float:
        """Return the CPU that it has used."""
        return cpu_seconds(self.pid)


def stats(url: str) -> dict[str, int]:
    """Ask a null server for its counts."""
    with urllib.request.urlopen(f"{url}/stats", timeout=30) as answer:
        found: dict[str, int] = json.loads(answer.read())
        return found


def wait_for_records(url: str, wanted: int, quiet_seconds: float = QUIET_SECONDS) -> tuple[int, float]:
    """Wait until so many records have arrived, or none has for a while.

    Returns:
        The records that are there, and when the last of them was seen, as `time.perf_counter` has it.
    """
    seen, at = stats(url)["records"], time.perf_counter()
    while seen < wanted and time.perf_counter() - at < quiet_seconds:
        time.sleep(POLL_SECONDS)
        found = stats(url)["records"]
        if found > seen:
            seen, at = found, time.perf_counter()
    return seen, at


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def build() -> Path:
    """Return the binary, compiled if need be.

    Raises:
        NotInstalledError: There is no cargo.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NotInstalledError("skipped: no cargo")
    command = [cargo, "build", "--quiet", "--release", "--locked", "--manifest-path", SOURCES / "Cargo.toml"]
    subprocess.run([*command, "--target-dir", TARGET], check=True, timeout=BUILD_TIMEOUT_SECONDS)
    return TARGET / "release" / "null-server"


@contextmanager
def null_server() -> Iterator[NullServer]:
    """Run the server on a free port of the loopback; raises as `build`."""
    process: subprocess.Popen[Any] = subprocess.Popen([build()], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield NullServer(int(process.stdout.readline()), process.pid)
    finally:
        stop(process)
        assert process.stdout is not None
        process.stdout.close()


if __name__ == "__main__":
    print(build())
