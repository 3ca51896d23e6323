"""Where profiles come from: installed packages, files of the user, objects."""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fapilog.compliance.errors import ProfileError
from fapilog.compliance.profile import Profile, is_path, parse
from fapilog.plugins.loading import imported, within
from fapilog.plugins.policy import LOAD_SECONDS

GROUP = "fapilog.profiles"
PACKAGE = "fapilog-compliance"


def installed() -> tuple[str, ...]:
    """Return the names of the profiles that packages bring, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def find(named: str | os.PathLike[str] | Profile) -> Profile:
    """Return a profile.

    Args:
        named: The name of an installed one, the path of a TOML file, or the profile itself.

    Raises:
        ProfileError: `profile-unknown` or `profile-invalid`.
    """
    if isinstance(named, Profile):
        return named
    if isinstance(named, os.PathLike) or is_path(named):
        return read(Path(named))
    return _installed(named.strip().lower())


def read(path: Path) -> Profile:
    """Read the profile in a TOML file.

    A file may begin with `extends = "gdpr"`: then it takes everything from that profile that it does not say
    itself. Tables are merged, lists are replaced.

    Raises:
        ProfileError: `profile-invalid`, with the place of the mistake.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"the profile {path} cannot be read: {error.strerror}"
        raise ProfileError("profile-invalid", what, "check the path and the permissions") from None
    except ValueError as error:  # also what is not UTF-8
        what = f"the profile {path} is not TOML: {error}"
        raise ProfileError("profile-invalid", what, "correct the file") from None
    return _parsed(_extended(content), str(path))


def _extended(content: dict[str, Any]) -> dict[str, Any]:
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise ProfileError("profile-invalid", "extends is not the name of a profile", "correct the file")
    try:
        extended = find(base)
    except RecursionError:
        raise ProfileError("profile-invalid", f"{base} extends itself", "correct the file") from None
    return _merged(extended.model_dump(by_alias=True, exclude_none=True), _plain_tables(content))


def _plain_tables(content: dict[str, Any]) -> dict[str, Any]:
    """The tables whose keys are names, in the form that a profile has when it is read."""
    named = {"actions": "target", "categories": "category"}
    plain = dict(content)
    for table, key in named.items():
        if isinstance(plain.get(table), dict):
            plain[table] = [
                {key: name, **(given if isinstance(given, dict) else {"do": given})}
                for name, given in plain[table].items()
            ]
    return plain


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    keys = {"actions": "target", "categories": "category", "clauses": "id"}
    merged = dict(base)
    for name, value in over.items():
        if name in keys and isinstance(value, list):
            known = {each[keys[name]]: each for each in base.get(name, ())}
            for each in value:
                at = each.get(keys[name])
                known[at] = known.get(at, {}) | each
            merged[name] = list(known.values())
        elif isinstance(value, dict) and isinstance(base.get(name), dict):
            merged[name] = base[name] | value
        else:
            merged[name] = value
    return merged


@lru_cache(maxsize=32)
def _installed(name: str) -> Profile:
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = ", ".join(installed())
        what = f"the profile {name} is not installed"
        remedy = f"pip install {PACKAGE}, or correct the name; installed: {known or 'none'}"
        raise ProfileError("profile-unknown", what, remedy)
    return _loaded(points[0])


def _loaded(point: EntryPoint) -> Profile:
    """A broken profile is an error, not left out as other plugins are: nobody would see what is missing."""
    try:
        target = within(LOAD_SECONDS, lambda: imported(point))
        made = target() if callable(target) else target
    except ProfileError:
        raise
    except Exception as error:
        what = f"the profile {point.name} ({point.value}) cannot be loaded: {type(error).__name__}: {error}"
        raise ProfileError("profile-invalid", what, "repair the package that brings it") from error
    if isinstance(made, (str, os.PathLike)):
        return read(Path(made))
    if not isinstance(made, Profile):
        what = f"the profile {point.name} ({point.value}) is a {type(made).__name__}, not a Profile"
        raise ProfileError("profile-invalid", what, "repair the package that brings it")
    return made


def _parsed(content: dict[str, Any], origin: str) -> Profile:
    try:
        return parse(content)
    except ValidationError as error:
        found = error.errors(include_url=False)
        lines = [f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}" for item in found]
        what = f"the profile {origin} is not valid: {'; '.join(lines)}"
        raise ProfileError("profile-invalid", what, "correct the file") from None
