"""Enrichers by name and as objects, side by side. Threads: the configuring one.

Built-in names come first; every other name is looked up among the plugins of the group `fapilog.enrichers`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fapilog.enrichers.base import Source, timing_of
from fapilog.enrichers.built_in import BUILT_IN, built_in
from fapilog.errors import ConfigurationError, OffendingSetting, Problem, configuration_error
from fapilog.plugins import Plugins, is_async
from fapilog.settings import Settings

GROUP = "fapilog.enrichers"


def choose(enrichers: Iterable[object], settings: Settings) -> tuple[Source, ...]:
    """Turn names and objects, mixed, into sources, in their order. A name that comes twice counts once.

    A plugin that is broken or disabled is left out; it was named on stderr.

    Raises:
        ConfigurationError: `enricher-unknown` or `enricher-invalid`; all problems at once.
    """
    plugins = Plugins(settings.plugins.policy)
    problems: list[Problem] = []
    found: list[Source] = []
    for each in dict.fromkeys(_Once(one) for one in enrichers):
        try:
            source = _source(each.value, settings, plugins)
        except ConfigurationError as error:
            problems += error.problems
        else:
            found += [] if source is None else [source]
    if problems:
        raise configuration_error(problems)
    return tuple(found)


class _Once:
    """Equal for equal names; objects are equal only to themselves."""

    def __init__(self, value: object) -> None:
        self.value = value
        self._key = value if isinstance(value, str) else id(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Once) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _source(given: object, settings: Settings, plugins: Plugins) -> Source | None:
    if not isinstance(given, str):
        return _of_object(given, _name_of(given), settings)
    if given in BUILT_IN:
        return built_in(given, settings)
    if given not in plugins.names(GROUP):
        raise ConfigurationError([_unknown(given, plugins)])
    made = plugins.make(GROUP, given, "enrichers")
    return None if made is None else _of_object(made, given, settings)


def _of_object(given: Any, name: str, settings: Settings) -> Source:
    if isinstance(given, Mapping):
        return Source(name, constant=dict(given))
    if not callable(given) or isinstance(given, type):
        raise ConfigurationError([_invalid(given)])
    refresh, timeout = timing_of(given)
    if refresh is None and is_async(given):
        refresh = settings.enrichment.refresh_millis / 1_000
    limit = settings.enrichment.timeout_millis / 1_000 if timeout is None else timeout
    return Source(
        name, ask=given, refresh_seconds=refresh, timeout_seconds=math.inf if refresh is None else limit
    )


def _name_of(given: Any) -> str:
    name = getattr(given, "name", None) or getattr(given, "__name__", None)
    return name if isinstance(name, str) else type(given).__name__


def _unknown(name: str, plugins: Plugins) -> Problem:
    known = ", ".join((*BUILT_IN, *plugins.names(GROUP)))
    remedy = f"correct the name, or install the package that provides it; known: {known}"
    offender = OffendingSetting("enrichers", repr(name), "settings", remedy)
    return Problem("enricher-unknown", f"there is no enricher {name}", (offender,), remedy)


def _invalid(given: object) -> Problem:
    remedy = "pass a name, a mapping, or a function without arguments that returns a mapping"
    offender = OffendingSetting("enrichers", f"<{type(given).__name__}>", "argument", remedy)
    return Problem("enricher-invalid", "this is no enricher", (offender,), remedy)
