"""Detectors of installed packages: rules of stage 3 as data, beside those of the user.

A detector is data and no function: values are looked for in the native core, before a record is stored, where
no Python runs. Threads: the configuring one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.plugins import DETECTORS, Plugins, PluginUnusableError
from fapilog.settings import problems
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.redaction_rules import RedactionRule

if TYPE_CHECKING:
    from fapilog.plugins import PluginPolicy

SETTING = "redaction.detectors"


def with_rules(redaction: RedactionSettings, policy: PluginPolicy, origin: str) -> RedactionSettings:
    """Return the policy with the rules of its detectors behind the user's own, which decide first.

    A rule of the user takes the place of one with its name.

    Args:
        redaction: What the user wrote.
        policy: Which plugins may be used.
        origin: Where the value of `redaction.detectors` comes from.

    Raises:
        ConfigurationError: `plugin-unknown`; `detector-invalid`, if one cannot be used: what it would hide
            would leave.
    """
    if not redaction.detectors:
        return redaction
    plugins = Plugins(policy)
    rules = {rule.name: rule for rule in redaction.rules}
    found = [_problem_or_add(rules, plugins, name, origin) for name in redaction.detectors]
    if wrong := [problem for problem in found if problem is not None]:
        raise ConfigurationError(wrong)
    given = {name: getattr(redaction, name) for name in redaction.model_fields_set - {"destinations"}}
    try:
        together = RedactionSettings.model_validate(given | {"rules": tuple(rules.values())})
    except ValidationError as error:
        raise ConfigurationError([_invalid(", ".join(redaction.detectors), _said(error), origin)]) from None
    return together.model_copy(update={"destinations": redaction.destinations})


def rules_of(made: Mapping[str, Any]) -> tuple[RedactionRule, ...]:
    """Return the rules of a detector, checked.

    Args:
        made: What the plugin points at or makes: rules by their names.

    Raises:
        ValueError: One is no rule, or lets something through: a detector only hides.

    Example:
        >>> rules_of({"ticket": {"pattern": r"TCK-[0-9]{6}"}})[0].compact()
        'ticket: pattern TCK-[0-9]{6} -> remove'
    """
    rules = []
    for name, given in made.items():
        if not isinstance(given, (Mapping, RedactionRule)):
            raise ValueError(f"rule {name} is a {type(given).__name__}, not a mapping")
        try:
            rule = RedactionRule.model_validate(
                given if isinstance(given, RedactionRule) else {"name": name, **given}
            )
        except ValidationError as error:
            raise ValueError(f"rule {name}: {_said(error)}") from None
        if rule.action == "keep":
            raise ValueError(f"rule {name} keeps values; a detector only hides")
        rules.append(rule)
    if not rules:
        raise ValueError("it has no rule")
    return tuple(rules)


def _problem_or_add(
    rules: dict[str, RedactionRule], plugins: Plugins, name: str, origin: str
) -> Problem | None:
    if plugins.find(DETECTORS, name) is None:
        known = ", ".join(plugins.names(DETECTORS)) or "none is installed"
        remedy = f"correct the name, or install the package that provides it; known: {known}"
        offender = OffendingSetting(SETTING, repr(name), origin, remedy)
        return Problem(
            "plugin-unknown", f"{SETTING} names a plugin that is not installed", (offender,), remedy
        )
    try:
        found = rules_of(plugins.require(DETECTORS, name))
    except (PluginUnusableError, ValueError) as error:
        return _invalid(name, str(error), origin)
    for rule in found:
        rules.setdefault(rule.name, rule)
    return None


def _invalid(name: str, why: str, origin: str) -> Problem:
    remedy = "correct or update the package, or leave the detector out"
    offender = OffendingSetting(SETTING, repr(name), origin, remedy)
    return Problem("detector-invalid", f"the detector {name} cannot be used: {why}", (offender,), remedy)


def _said(error: ValidationError) -> str:
    return "; ".join(problems.problem_from(item, {}, ()).what for item in error.errors())
