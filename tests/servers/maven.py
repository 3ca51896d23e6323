"""Servers from Maven Central: a Java that is new enough, and jars that are downloaded once per pom."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

DOWNLOAD_TIMEOUT_SECONDS = 600


class JavaServerMissing(RuntimeError):  # noqa: N818 - it is a finding about the machine, not a failure
    """Java or Maven is not installed, or Maven Central cannot be reached."""


def java(oldest: int, server: str) -> str:
    """The path of a Java that is new enough.

    Raises:
        JavaServerMissing: There is none.
    """
    for candidate in _javas():
        said = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= oldest:
            return candidate
    raise JavaServerMissing(f"Java {oldest} is not installed (needed by {server})")


def _javas() -> Iterator[str]:
    if home := os.environ.get("JAVA_HOME"):
        yield f"{home}/bin/java"
    if found := shutil.which("java"):
        yield found
    yield from sorted(map(str, Path("/usr/lib/jvm").glob("*/bin/java")), reverse=True)


def jars(pom: Path, cache: Path, server: str) -> Path:
    """The folder with the jars of a pom, downloaded once.

    Raises:
        JavaServerMissing: There is no Maven, or it could not download them.
    """
    place = cache / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    if place.exists():
        return place
    maven = shutil.which("mvn")
    if maven is None:
        raise JavaServerMissing(f"Maven is not installed (needed to download {server})")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _download(maven, pom, place, server)
    return place


def _download(maven: str, pom: Path, place: Path, server: str) -> None:
    unfinished = place.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"]
    try:
        result = subprocess.run(
            [maven, *options], capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise JavaServerMissing(f"Maven Central did not answer (needed to download {server})") from error
    if result.returncode != 0:
        raise JavaServerMissing(f"Maven could not download {server}: {result.stdout[-500:]}")
    unfinished.rename(place)
