"""What the compliance profiles make of the settings, and what they refuse. Threads: the configuring one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, ValidationError

from fapilog.compliance import Combined, Profile, ProfileError, combine, strictness
from fapilog.compliance.loader import find
from fapilog.compliance.profile import is_path
from fapilog.errors import OffendingSetting, Problem
from fapilog.plugins import PROFILES, Plugins
from fapilog.settings import compliance_retention, compliance_transport, parse, problems
from fapilog.settings import destinations as per_destination
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.types import refuse

if TYPE_CHECKING:
    from fapilog.settings.model import Settings

Origin = Callable[[str], str]


def _profiles(value: object) -> object:
    """Names, paths and profiles, each of which can be found; their order does not matter."""
    value = parse.names(value) if isinstance(value, str) else value
    if not isinstance(value, (tuple, list)):
        return value
    named: list[str | Profile] = []
    for each in value:
        if not isinstance(each, (str, os.PathLike, Profile)):
            clause = f"holds a {type(each).__name__}, which is no profile"
            raise refuse(clause, "names of profiles, paths of TOML files, or Profile objects")
        named.append(each if isinstance(each, Profile) else os.fspath(each))
    try:
        combine(find(each) for each in dict.fromkeys(named))
    except ProfileError as error:
        clause = f"cannot be used: {error.what}"
        raise refuse(clause, f"profiles that can: {error.remedy}", error.code) from None
    return tuple(dict.fromkeys(named))


Compliance = Annotated[tuple[str | Profile, ...], BeforeValidator(_profiles)]


def combined(settings: Settings) -> Combined:
    """Return the profiles of settings as one."""
    return combine(find(each) for each in settings.compliance)


def explained(settings: Settings, name: str) -> tuple[object, str] | None:
    """Return the value in force and its origin, of a setting that profiles changed; None of any other.

    Args:
        settings: Validated settings.
        name: Dotted name of a setting.
    """
    group, _, field = name.partition(".")
    if group != "redaction" or not settings.profiles:
        return None
    value = getattr(settings.redaction_in_force, field)
    if value == getattr(settings.redaction, field):
        return None
    origin = settings.origin(name)
    by = f"profile {', '.join(profile.name for profile in settings.profiles.profiles)}"
    return value, by if origin == problems.DEFAULT else f"{origin} and {by}"


def redaction_in_force(redaction: RedactionSettings, profiles: Combined) -> RedactionSettings:
    """Return what the user wrote, with what the profiles ask: the policy that stage 3 applies.

    Where the user chose an action for a type it stays: `refused` names one that lets too much through.

    Args:
        redaction: What the user wrote.
        profiles: What is asked.
    """
    if not profiles:
        return redaction
    changes: dict[str, object] = {
        "mode": "scan",
        "actions": profiles.actions | dict(redaction.actions),
        "secret_keys": tuple(dict.fromkeys((*redaction.secret_keys, *profiles.secret_keys))),
    }
    if profiles.minimise and "minimise" in RedactionSettings.model_fields:
        changes |= {} if "minimise" in redaction.model_fields_set else {"minimise": True}
    given = {name: getattr(redaction, name) for name in redaction.model_fields_set - {"destinations"}}
    common = RedactionSettings.model_validate(given | changes)
    # `refused` compares them with what is asked now.
    return common.model_copy(update={"destinations": redaction.destinations})


def native_fields(profiles: Combined) -> list[tuple[str, str, list[str], str, str]]:
    """Return demands on fields as the native side takes them: category, demand, names, profiles, clauses.

    What several profiles ask is there once, with the names of all of them.
    """
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for profile, fields in profiles.categories:
        for demand in ("required", "forbidden"):
            for name in getattr(fields, demand):
                by = found.setdefault((fields.category, demand, name), [])
                by.append((profile, fields.clause))
    return [
        (
            category,
            demand,
            name.split("|"),
            ", ".join(profile for profile, _ in by),
            ", ".join(clause for _, clause in by),
        )
        for (category, demand, name), by in found.items()
    ]


def exempted(settings: Settings) -> str:
    """Return which rules of the user let values through although profiles are in force; empty: none.

    A rule for what only looks like a card is needed at times, so it is said and not refused.

    Args:
        settings: Validated settings.
    """
    rules: tuple[Any, ...] = getattr(settings.redaction, "rules", ())
    names = ", ".join(str(rule.name) for rule in rules if rule.action == "keep")
    if not names or not settings.profiles:
        return ""
    profiles = ", ".join(profile.name for profile in settings.profiles.profiles)
    return (
        f"redaction.rules {names} let values through whatever type they have, although the profiles"
        f" {profiles} are in force: see that they fit nothing else"
    )


def refused(settings: Settings, origin: Origin, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what the profiles refuse in settings.

    Args:
        settings: Validated, but for this.
        origin: Where the value of a setting comes from.
        environ: Variables, for what the stock exporters of traces and metrics read.
    """
    profiles = settings.profiles
    yield from _denied(settings, origin("compliance"))
    if profiles:
        weakened = tuple(_weakened(settings.redaction.actions, profiles, origin("redaction.actions")))
        problems = weakened or tuple(_unusable(settings))
        yield from problems
        if not problems:
            yield from per_destination.refused(settings.redaction_in_force, origin("redaction.destinations"))
        if profiles.tls is not None:
            yield from compliance_transport.refused(settings, profiles.tls, origin, environ)
        yield from compliance_retention.refused(settings, origin)


def _denied(settings: Settings, origin: str) -> Iterator[Problem]:
    """Yield the installed profiles that `plugins.allow` and `plugins.deny` do not let be used."""
    plugins = Plugins(settings.plugins.policy)
    names = [each.strip().lower() for each in settings.compliance if isinstance(each, str)]
    for plugin in (plugins.find(PROFILES, name) for name in names if not is_path(name)):
        if plugin is not None and plugin.status == "disabled":
            remedy = "let plugins.allow and plugins.deny agree with compliance"
            offender = OffendingSetting("compliance", repr(plugin.name), origin, remedy)
            what = f"the profile {plugin.name} may not be used: {plugin.problem}"
            yield Problem("plugin-refused", what, (offender,), remedy)


def _unusable(settings: Settings) -> Iterator[Problem]:
    """Yield why the policy that profiles make of the settings cannot be used: an action needs a key, say."""
    try:
        _ = settings.redaction_in_force
    except ValidationError as error:
        names = ", ".join(profile.name for profile in settings.profiles.profiles)
        found = "; ".join(problems.problem_from(item, {}, ()).what for item in error.errors())
        remedy = "correct the profile, or set what it needs"
        yield Problem("profile-invalid", f"with the profiles {names}, redaction: {found}", (), remedy)


def _weakened(actions: Mapping[str, str], profiles: Combined, origin: str) -> Iterator[Problem]:
    for kind, action in actions.items():
        need = profiles.bound(kind)
        if need is None or not strictness.is_weaker(action, need.value):
            continue
        place = problems.place("redaction.actions", origin)
        remedy = f"set {kind} in {place} to {need.value} or what lets less through, or leave it out"
        offender = OffendingSetting("redaction.actions", f"{kind}={action}", origin, remedy)
        what = f"{kind}={action} lets more through than {need.source} {need.clause} allows ({need.value})"
        yield Problem("profile-weakened", what, (offender,), remedy)
