"""Several profiles as one: the strictest counts, and what contradicts is said."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from fapilog.compliance import loader, strictness
from fapilog.compliance.errors import ProfileError
from fapilog.compliance.profile import TYPES, CategoryFields, Measure, Profile


@dataclass(frozen=True)
class Need:
    """One demand, and who makes it.

    Attributes:
        subject: What it is about: `PAN`, `tls`, `retention.min_days`, `security.required`.
        value: What is demanded, as text.
        source: Name of the profile.
        clause: Its clause.
    """

    subject: str
    value: str
    source: str
    clause: str

    def __str__(self) -> str:
        return f"{self.subject} = {self.value}   from {self.source} {self.clause}"


@dataclass(frozen=True)
class Combined:
    """What several profiles ask together.

    Attributes:
        profiles: In the order in which they were named.

    Example:
        >>> load(()).actions
        {}
    """

    profiles: tuple[Profile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.profiles)

    @cached_property
    def actions(self) -> dict[str, str]:
        """What is done with each type that a profile covers, where the user chose nothing: the strictest."""
        return {
            kind: strictness.strictest(*(measure.do for _, measure in found))
            for kind, found in self._measures.items()
        }

    def bound(self, kind: str) -> Need | None:
        """Return the strictest bound for what the user may choose for a type; None: no profile covers it."""
        found = self._measures.get(kind, ())
        if not found:
            return None
        profile, measure = min(found, key=lambda each: strictness.strictness(each[1].bound))
        return Need(kind, measure.bound, profile.name, measure.clause)

    @cached_property
    def secret_keys(self) -> tuple[str, ...]:
        """Names of keys whose values are removed."""
        return tuple(dict.fromkeys(key for profile in self.profiles for key in profile.secret_keys))

    @property
    def minimise(self) -> Need | None:
        """Who asks that attributes are dropped that nobody listed."""
        for profile in self.profiles:
            if profile.minimise and profile.minimise_clause is not None:
                return Need("minimise", "true", profile.name, profile.minimise_clause)
        return None

    @property
    def tls(self) -> Need | None:
        """Who asks for TLS."""
        for profile in self.profiles:
            if profile.transport is not None and profile.transport.tls:
                return Need("tls", "required", profile.name, profile.transport.clause)
        return None

    @property
    def min_days(self) -> Need | None:
        """The longest time for which records have to be kept."""
        found = [
            Need("retention.min_days", str(bounds.min_days), profile.name, bounds.min_clause)
            for profile in self.profiles
            if (bounds := profile.retention).min_days is not None and bounds.min_clause is not None
        ]
        return max(found, key=lambda need: int(need.value), default=None)

    @property
    def max_days(self) -> Need | None:
        """The shortest time after which records have to be deleted."""
        found = [
            Need("retention.max_days", str(bounds.max_days), profile.name, bounds.max_clause)
            for profile in self.profiles
            if (bounds := profile.retention).max_days is not None and bounds.max_clause is not None
        ]
        return min(found, key=lambda need: int(need.value), default=None)

    @cached_property
    def categories(self) -> tuple[tuple[str, CategoryFields], ...]:
        """Demands on fields, each with the profile that makes it."""
        return tuple((profile.name, each) for profile in self.profiles for each in profile.categories)

    def report(self) -> tuple[Need, ...]:
        """Return what came from where: every demand that counts."""
        return tuple(self._report())

    def _report(self) -> Iterator[Need]:
        for kind, done in self.actions.items():
            profile, measure = next(each for each in self._measures[kind] if each[1].do == done)
            yield Need(kind, done, profile.name, measure.clause)
        yield from (need for need in (self.minimise, self.tls, self.min_days, self.max_days) if need)
        for name, each in self.categories:
            for demand in ("required", "forbidden"):
                if fields := getattr(each, demand):
                    yield Need(f"{each.category}.{demand}", ",".join(fields), name, each.clause)

    @cached_property
    def _measures(self) -> dict[str, list[tuple[Profile, Measure]]]:
        covered = [(profile, profile.actions()) for profile in self.profiles]
        found = {
            kind: [(profile, actions[kind]) for profile, actions in covered if kind in actions]
            for kind in TYPES
        }
        return {kind: measures for kind, measures in found.items() if measures}


def combine(profiles: Iterable[Profile]) -> Combined:
    """Combine profiles; the strictest demand counts.

    Raises:
        ProfileError: `profiles-conflict`, if no value meets two of them; both clauses are named.
    """
    combined = Combined(tuple(profiles))
    names = [profile.name for profile in combined.profiles]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"the profile {twice[0]} is there twice"
        raise ProfileError("profiles-conflict", what, "give each profile a name of its own, or name it once")
    least, most = combined.min_days, combined.max_days
    if least and most and int(least.value) > int(most.value):
        what = (
            f"{least.source} {least.clause} keeps records for {least.value} days at least,"
            f" {most.source} {most.clause} for {most.value} days at most"
        )
        remedy = (
            "decide which counts, and write it into a profile of your own (a TOML file with"
            f' `extends = "{most.source}"` and another [retention]), named in its place'
        )
        raise ProfileError("profiles-conflict", what, remedy)
    _refuse_contradicting_fields(combined)
    return combined


def _refuse_contradicting_fields(combined: Combined) -> None:
    for name, each in combined.categories:
        for other, forbidding in combined.categories:
            if each.category != forbidding.category:
                continue
            for field in each.required:
                if set(field.split("|")) <= set(forbidding.forbidden):
                    what = (
                        f"{name} {each.clause} wants {field} in {each.category} records,"
                        f" {other} {forbidding.clause} forbids it"
                    )
                    remedy = "decide which counts, and write it into a profile of your own"
                    raise ProfileError("profiles-conflict", what, remedy)


def load(names: Iterable[str | os.PathLike[str] | Profile]) -> Combined:
    """Find profiles and combine them.

    Args:
        names: Names of installed profiles, paths of TOML files, profiles.

    Raises:
        ProfileError: One cannot be found or read, or two contradict each other.
    """
    return combine(loader.find(name) for name in names)
