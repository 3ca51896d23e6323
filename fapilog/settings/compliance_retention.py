"""How long stores that fapilog owns keep records, when compliance profiles have a say: files, spool.

Where the user said nothing, settings are filled in (`defaults`); what contradicts a clause is refused
(`refused`). A complete file is deleted `file.keep_seconds` after it was completed, and its oldest record is
`file.max_age_seconds` older than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from fapilog.compliance import Combined, Need
from fapilog.errors import OffendingSetting, Problem
from fapilog.settings import problems

if TYPE_CHECKING:
    from fapilog.settings.model import Settings

DAY_SECONDS = 86_400
# A new file each day, so that what is deleted with a file is never a day too old.
ROTATION_SECONDS = DAY_SECONDS


def defaults(profiles: Combined, given: Mapping[str, object]) -> dict[str, tuple[object, str]]:
    """Return what settings become where nobody set them, each with the profile that asks for it.

    Args:
        profiles: What is asked.
        given: Settings that have a value, by dotted name.
    """
    found: dict[str, tuple[object, str]] = {}
    least, most = profiles.min_days, profiles.max_days
    if least is not None:
        found |= {"file.keep_files": (None, least.source), "spool.max_age_seconds": (None, least.source)}
    if most is not None:
        limit = _seconds(most)
        rotation = given.get("file.max_age_seconds", ROTATION_SECONDS)
        found["file.max_age_seconds"] = ROTATION_SECONDS, most.source
        if isinstance(rotation, int) and 0 < rotation < limit:
            found["file.keep_seconds"] = limit - rotation, most.source
        if least is not None or limit < 3 * DAY_SECONDS:
            found["spool.max_age_seconds"] = limit, most.source
    return {name: value for name, value in found.items() if name not in given}


def refused(settings: Settings, origin: Callable[[str], str]) -> Iterator[Problem]:
    """Yield the settings that delete too early, or too late.

    Args:
        settings: Validated, but for this.
        origin: Where the value of a setting comes from.
    """
    least, most = settings.profiles.min_days, settings.profiles.max_days
    for name, value, clause, need, do in (*_early(settings, least), *_late(settings, most)):
        remedy = f"set {problems.place(name, origin(name))} to {do}, or leave it out"
        shown = problems.setting(name, value, origin(name), remedy)
        code = "retention-too-short" if need is least else "retention-too-long"
        what = f"{name} {clause}: {need.source} {need.clause} says {need.value} days"
        yield Problem(code, what, (OffendingSetting(name, shown.value, shown.origin, remedy),), remedy)


_Found = tuple[str, object, str, Need, str]


def _early(settings: Settings, need: Need | None) -> Iterator[_Found]:
    if need is None:
        return
    file, limit = settings.file, _seconds(need)
    if file.path is not None:
        if file.keep_files is not None:
            clause = "deletes files by number, so maybe too early"
            yield "file.keep_files", file.keep_files, clause, need, "nothing (null)"
        if file.keep_seconds is not None and file.keep_seconds < limit:
            yield "file.keep_seconds", file.keep_seconds, "deletes too early", need, f"{limit} or more"
    age = settings.spool.max_age_seconds
    if settings.spool.directory is not None and age is not None and age < limit:
        yield "spool.max_age_seconds", age, "drops too early", need, f"{limit} or more"


def _late(settings: Settings, need: Need | None) -> Iterator[_Found]:
    if need is None:
        return
    file, limit = settings.file, _seconds(need)
    if file.path is not None:
        rotation, kept = file.max_age_seconds, file.keep_seconds
        if rotation is None or rotation >= limit:
            yield "file.max_age_seconds", rotation, "lets a file grow too old", need, f"{ROTATION_SECONDS}"
        elif kept is None or kept + rotation > limit:
            yield "file.keep_seconds", kept, "deletes too late", need, f"{limit - rotation} or less"
    age = settings.spool.max_age_seconds
    if settings.spool.directory is not None and (age is None or age > limit):
        yield "spool.max_age_seconds", age, "drops too late", need, f"{limit} or less"


def _seconds(need: Need) -> int:
    return int(need.value) * DAY_SECONDS
