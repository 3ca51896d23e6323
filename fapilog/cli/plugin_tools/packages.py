"""Packages before they are installed: found by pip, looked into, checked. Nothing of them runs.

The index is whatever pip is configured for (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_NO_INDEX, pip.conf). Only
wheels are taken: to build a source archive is to run its code.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import subprocess  # nosec B404 - pip and bandit, in processes of their own, without a shell
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from fapilog.plugins import GROUPS

_REQUIREMENT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(==[A-Za-z0-9.!+_-]+)?")
_REQUIREMENT_NAME = re.compile(r"[\w.-]+")
_TIMEOUT_SECONDS = 600
_LARGEST_TEXT_BYTES = 1 << 20


class PackageError(Exception):
    """A package that cannot be had or must not be installed: a clause that says why."""


@dataclass(frozen=True)
class Wheel:
    """What a wheel says of itself.

    Attributes:
        path: The file.
        name: Of the distribution.
        version: Its version.
        summary: One sentence of its author.
        requires: What it needs.
        plugins: Entry points in groups of fapilog, as (group, name, target).
    """

    path: Path
    name: str
    version: str
    summary: str
    requires: tuple[str, ...]
    plugins: tuple[tuple[str, str, str], ...]


def checked(requirement: str) -> str:
    """Return a requirement that is a name, or a name with `==` and a version.

    Raises:
        PackageError: It is anything else, such as an option of pip or an address.
    """
    if not _REQUIREMENT.fullmatch(requirement):
        raise PackageError(f"{requirement!r} is not the name of a package, with ==version or without")
    return requirement


def plain(name: str) -> str:
    """Return the name of a package in the spelling that all its spellings have in common.

    Example:
        >>> plain("Acme_Logs.Team")
        'acme-logs-team'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_by(package: str) -> frozenset[str]:
    """Return a package and all that it needs, as installed here, without extras."""
    found: set[str] = set()
    waiting = [plain(package)]
    while waiting:
        name = waiting.pop()
        try:
            requires = distribution(name).requires or ()
        except PackageNotFoundError:  # needed elsewhere: on another platform, by another Python
            continue
        found.add(name)
        named = [_REQUIREMENT_NAME.match(each) for each in requires if "extra ==" not in each]
        waiting += {plain(each[0]) for each in named if each} - found
    return frozenset(found)


def pip(*arguments: str) -> str:
    """Run pip of this interpreter, and return what it prints.

    Raises:
        PackageError: It failed: its last words.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        done = subprocess.run(  # noqa: S603  # nosec B603 - no shell; names were checked
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise PackageError(f"pip did not answer within {_TIMEOUT_SECONDS} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no word"]
        raise PackageError(f"pip {arguments[0]} failed: {said[-1].removeprefix('ERROR: ')}")
    return done.stdout


def versions(name: str) -> tuple[str, ...]:
    """Return the versions of a package on pip's index, newest first; empty: there is none of this name.

    Where there are pre-releases alone, as of most instrumentors of OpenTelemetry, it is those: pip installs
    them too.
    """
    for options in ((), ("--pre",)):
        try:
            said = pip("index", "versions", checked(name), "--json", *options)
        except PackageError:
            continue
        found: dict[str, Any] = json.loads(said)
        return tuple(found.get("versions", ()))
    return ()


def download(requirement: str, folder: Path) -> Wheel:
    """Fetch the wheel of a package alone, without what it needs, and look into it.

    Args:
        requirement: A name, with `==version` or without; or the path of a wheel.
        folder: Where it is put.

    Raises:
        PackageError: There is none.
    """
    if requirement.endswith(".whl"):
        return look_into(Path(requirement))
    pip(
        "download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(folder), checked(requirement)
    )
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise PackageError(f"pip brought no wheel of {requirement}")
    return look_into(found[0])


def look_into(path: Path) -> Wheel:
    """Read what a wheel says of itself; nothing of it runs.

    Raises:
        PackageError: It is no wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = Parser().parsestr(_text(archive, "METADATA"))
            points = configparser.RawConfigParser(delimiters=("=",))
            points.optionxform = str  # type: ignore[assignment, method-assign]
            points.read_string(_text(archive, "entry_points.txt", missing=""))
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, configparser.Error, KeyError) as error:
        raise PackageError(f"{path.name} is not a wheel that can be read: {error}") from None
    plugins = tuple(
        (group, name, target)
        for group in points.sections()
        if group in GROUPS
        for name, target in points.items(group)
    )
    requires = tuple(metadata.get_all("Requires-Dist") or ())
    return Wheel(
        path,
        str(metadata["Name"]),
        str(metadata["Version"]),
        str(metadata["Summary"] or ""),
        requires,
        plugins,
    )


def _text(archive: zipfile.ZipFile, name: str, missing: str | None = None) -> str:
    for info in archive.infolist():
        folder, _, last = info.filename.rpartition("/")
        if last == name and folder.endswith(".dist-info") and "/" not in folder:
            if info.file_size > _LARGEST_TEXT_BYTES:
                raise KeyError(f"{name} is larger than 1 MiB")
            return archive.read(info).decode()
    if missing is None:
        raise KeyError(f"it has no {name}")
    return missing


def refuse_without_plugins(wheel: Wheel) -> None:
    """Raise for a package that is none of ours.

    Raises:
        PackageError: It has no entry point that fapilog knows.
    """
    if not wheel.plugins:
        raise PackageError(
            f"{wheel.name} {wheel.version} brings no plugin: it has no entry point in {', '.join(GROUPS)}"
        )


def would_install(wheel: Wheel) -> tuple[str, ...]:
    """Return what pip would install, as `name version`, and in place of which version; nothing is installed.

    Raises:
        PackageError: What it needs cannot be had.
    """
    said = pip("install", "--dry-run", "--quiet", "--report", "-", str(wheel.path))
    report: dict[str, Any] = json.loads(said[said.index("{") :])
    found = (each["metadata"] for each in report.get("install", ()))
    return tuple(f"{each['name']} {each['version']}{_in_place_of(each['name'])}" for each in found)


def _in_place_of(name: str) -> str:
    try:
        return f" (in place of {distribution(name).version})"
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Finding:
    """One finding of the static check."""

    severity: str
    text: str
    place: str

    def __str__(self) -> str:
        return f"{self.severity.lower()}: {self.text} ({self.place})"


def has_bandit() -> bool:
    """Whether the static check can be made."""
    return importlib.util.find_spec("bandit") is not None


def static_check(wheel: Wheel, folder: Path) -> tuple[Finding, ...]:
    """Return what bandit finds in the source of a wheel, worst first; nothing of it runs.

    Args:
        wheel: The package.
        folder: An empty one, where its Python files are put.

    Raises:
        PackageError: A file would land outside of the folder, or bandit failed.
    """
    with zipfile.ZipFile(wheel.path) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                target = (folder / name).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise PackageError(f"{wheel.path.name} has a file outside of itself: {name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    command = [sys.executable, "-m", "bandit", "--recursive", "--quiet", "--ignore-nosec"]
    command += ["--format", "json", str(folder)]
    done = subprocess.run(  # noqa: S603  # nosec B603 - no shell; a folder of ours
        command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
    )
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError):
        raise PackageError(f"bandit failed: {done.stderr.strip()[-200:]}") from None
    found = [*_findings(results, folder), *_unseen(wheel)]
    return tuple(sorted(found, key=lambda each: _ORDER.get(each.severity, 3)))


# What runs and is no Python source; of these the first runs at each start of Python.
_UNSEEN = {
    ".pth": ("HIGH", "it runs at each start of Python, whether the plugin is used or not"),
    ".so": ("MEDIUM", "it is compiled: nobody looked into it"),
    ".pyd": ("MEDIUM", "it is compiled: nobody looked into it"),
    ".pyc": ("MEDIUM", "it is compiled: nobody looked into it"),
}


def _unseen(wheel: Wheel) -> Iterator[Finding]:
    with zipfile.ZipFile(wheel.path) as archive:
        for name in archive.namelist():
            if (suffix := Path(name).suffix) in _UNSEEN:
                yield Finding(*_UNSEEN[suffix], name)


_ORDER = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}


def _findings(results: list[dict[str, Any]], folder: Path) -> Iterator[Finding]:
    for each in results:
        path = Path(each["filename"]).resolve()
        place = path.relative_to(folder.resolve()) if path.is_relative_to(folder.resolve()) else path.name
        yield Finding(each["issue_severity"], each["issue_text"], f"{place}:{each['line_number']}")
