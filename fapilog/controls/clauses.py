"""The results by clause: what the profiles of the settings ask for, and how it went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fapilog.compliance import Clause, Combined
from fapilog.compliance.profile import TYPES
from fapilog.controls.report import Report
from fapilog.controls.vectors import Vector

KEY = "key:"
_SETTING = "setting:"


def types_of(clause: Clause) -> list[str]:
    """Return the types that a clause is about; a secret key name is a type of its own, `key:NAME`."""
    return [kind for check in clause.checks for kind in _types(check)]


def _types(check: str) -> Iterator[str]:
    what, _, name = check.partition(":")
    match what:
        case "type":
            yield name
        case "group":
            yield from (kind for kind, group in TYPES.items() if group == name)
        case "key":
            yield check


def asked(profiles: Combined) -> frozenset[str]:
    """Return the types that any clause is about."""
    clauses = (clause for profile in profiles.profiles for clause in profile.clauses)
    return frozenset(kind for clause in clauses for kind in types_of(clause))


def key_vectors(types: frozenset[str]) -> list[Vector]:
    """Return a vector for each secret key name: any value under it must go.

    Example:
        >>> key_vectors(frozenset({"key:pin"}))[0].key
        'pin'
    """
    names = sorted(kind.removeprefix(KEY) for kind in types if kind.startswith(KEY))
    return [
        Vector(f"{KEY}{name}", value, name, value, "")
        for number, name in enumerate(names)
        for value in [f"contr0l-value-{number:03}"]
    ]


def rows(profiles: Combined, report: Report) -> list[dict[str, Any]]:
    """Return one row for each clause, in the order of the profiles."""
    return [_row(profile.name, clause, report) for profile in profiles.profiles for clause in profile.clauses]


def _row(profile: str, clause: Clause, report: Report) -> dict[str, Any]:
    types = sorted(set(types_of(clause)))
    counts = report.counts(types)
    settings = [check for check in clause.checks if check.startswith(_SETTING)]
    return {
        "profile": profile,
        "id": clause.id,
        "asks": clause.asks,
        "mechanism": clause.mechanism,
        "types": types,
        "settings": settings,
        **counts,
        "result": _result(counts, settings, missing=bool(report.missing)),
        "cannot": clause.cannot,
    }


def _result(counts: dict[str, int], settings: list[str], *, missing: bool) -> str:
    if counts["failed"] or (counts["vectors"] and missing):
        return "failed"
    if counts["vectors"]:
        return "passed"
    # Settings that break the clause are refused when they are loaded; these were loaded.
    return "enforced" if settings else "not tested"
