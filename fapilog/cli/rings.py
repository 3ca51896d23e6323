"""What `fapilog spool` says of crash rings: the files of `durability` `process` and `power`.

They lie beside the spool, in `ring.directory`, or in shared memory, where those of all spools and services of
this user are looked at: one whose process ended, and whose settings have changed since, is found there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fapilog import _native

_ENDINGS = (".ring", ".ring.corrupt")


def found(places: Iterable[Path]) -> list[Path]:
    """Return the rings in some directories and in shared memory.

    Raises:
        OSError: If a directory cannot be read.
    """
    return _native.ring_files([*dict.fromkeys([*places, *_native.ring_memory()])])


def is_ring(name: str) -> bool:
    """Whether a name that somebody gave is one of a ring."""
    return name.endswith(_ENDINGS)


def named(name: str, known: Sequence[Path]) -> Path:
    """Return the ring with a path or a file name.

    Raises:
        OSError: If there is none, or more than one with that file name.
    """
    matching = [path for path in known if name in (str(path), path.name)]
    if len(matching) != 1:
        few = "is no crash ring" if not matching else "is the name of several crash rings"
        raise OSError(f"{name} {few}; give a path that `fapilog spool list` names")
    return matching[0]


def survey(path: Path) -> dict[str, Any]:
    """Return what is in a ring; one that went meanwhile is empty.

    Raises:
        OSError: If it cannot be read.
    """
    gone: dict[str, Any] = {
        "service": None,
        "process": None,
        "alive": False,
        "bytes": 0,
        "slots": 0,
        "records": 0,
        "owed": {},
    }
    intact = dict.fromkeys(("missing_records", "unsynced_records", "damaged_bytes", "unreadable_slots"), 0)
    nothing = {**gone, **intact, "logged_nanos": None, "header_damaged": False, "other_version": False}
    return _native.survey_ring(path) or nothing


def listed(path: Path, age_seconds: int | None) -> dict[str, Any]:
    """Return what `list` says, under the names that it has for directories of the spool."""
    here = survey(path)
    kept = ("service", "process", "alive", "records", "bytes", "owed")
    return {
        "directory": str(path),
        "kind": "ring",
        **{each: here[each] for each in kept},
        "blocks": here["slots"],
        "oldest_seconds": age_seconds,
        "encrypted_blocks": 0,
        "key_ids": [],
    }


def verified(path: Path) -> dict[str, Any]:
    """Return what `verify` says. A living process's ring changes while it is read, so it is not checked."""
    here = survey(path)
    damage = ("missing_records", "damaged_bytes", "unreadable_slots", "header_damaged")
    return {
        "directory": str(path),
        "kind": "ring",
        "damaged": any(here[each] for each in damage),
        "alive": here["alive"],
        "records": here["records"] + here["missing_records"],
        "salvageable_records": here["records"],
        **{each: here[each] for each in damage},
        "unsynced_records": here["unsynced_records"],
        "other_version": here["other_version"],
    }


def verdict(said: dict[str, Any]) -> str:
    """Return the line for what `verified` returned."""
    name, salvageable = (
        said["directory"],
        f"{said['salvageable_records']} of {said['records']} records can be delivered",
    )
    if said["alive"]:
        return f"{name}: in use by a process, {said['records']} records on their way"
    if said["other_version"]:
        return f"{name}: another version of fapilog wrote it, and only that one can read it"
    if said["header_damaged"]:
        return f"{name}: damaged (both copies of its header), nothing can be delivered"
    if not said["damaged"]:
        return f"{name}: intact, {salvageable}"
    facts = [
        f"{said['missing_records']} records not found",
        f"{said['damaged_bytes']} bytes that belong to no record",
        f"{said['unreadable_slots']} slots not readable",
    ]
    return (
        f"{name}: damaged ({', '.join(fact for fact in facts if not fact.startswith('0 '))}), {salvageable}"
    )


def refusal(path: Path, exporters: Iterable[str]) -> str | None:
    """Return why the records of a ring must not be delivered through these exporters, or None.

    The ring goes when those that are there have its records, so none of them may be missing.
    """
    here = survey(path)
    if here["alive"]:
        return f"{path} belongs to a process that runs; it delivers what is in it"
    if here["header_damaged"] or here["other_version"]:
        return verdict(verified(path))
    missing = sorted(here["owed"].keys() - set(exporters))
    if missing:
        names = ", ".join(missing)
        return f"{path} holds records for exporters that the settings do not have: {names}; add them"
    return None
