"""Source distributions of OpenTelemetry, in `.cache/upstream`; nothing of them enters the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "upstream"


def fetch(distribution: str) -> Path:
    """Return the unpacked source of the version that is installed; of the SDK's release, if none is.

    Raises:
        RuntimeError: If pip cannot have it; the message is pip's.
    """
    release = _release(distribution)
    home = CACHE / f"{distribution.replace('-', '_')}-{release}"
    if home.is_dir():
        return home
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = CACHE / f"{home.name}.tar.gz"
    if not archive.is_file():
        _download(f"{distribution}=={release}")
    unpacked = CACHE / f"{home.name}.unpacking"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    (unpacked / home.name).rename(home)
    unpacked.rmdir()
    return home


def _release(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        # Contrib packages are numbered beside the SDK, and instrumentation is always installed with ours.
        return version("opentelemetry-instrumentation")


def _download(requirement: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run([*command, requirement], cwd=CACHE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pip cannot download the source of {requirement}:\n{done.stderr.strip()}")
