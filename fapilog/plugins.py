"""What installed packages add through entry points: found late, loaded one by one, isolated.

A plugin that cannot be used is named once on stderr with its package and version, and left out; everything
else goes on. Threads: the configuring one; nothing is loaded at import.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, distributions, entry_points
from types import MappingProxyType
from typing import Any, Literal

from fapilog.diagnostics import one_line, say, shown_error
from fapilog.errors import ConfigurationError, OffendingSetting, Problem

# What fapilog and a plugin expect of each other. A plugin names the version it was made for in the attribute
# `fapilog_contract`; one without it counts as version 1.
CONTRACT_VERSION = 1
CONTRACT_ATTRIBUTE = "fapilog_contract"
PREFIX = "fapilog."
PROCESSORS, AUTH, COMMANDS = "fapilog.processors", "fapilog.auth", "fapilog.commands"
KEY_PROVIDERS = "fapilog.key_providers"

# Group, and what its objects are. `docs/reference/plugins.md` is generated from it.
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        PROCESSORS: "A processor, or a class or function without arguments that makes one: it has"
        " `async def process(batch)` and is named in `batch_processors`, or is an OpenTelemetry"
        " `LogRecordProcessor` and is named in `processors`.",
        "fapilog.enrichers": "A mapping of attributes, a function (also `async`) that returns one, or a class"
        " without arguments that makes either.",
        AUTH: "A function (also `async`) without arguments that returns request headers, as the argument"
        " `auth` takes it, or a class without arguments that makes one. Named in `otlp.auth`.",
        KEY_PROVIDERS: "An object with the method `spool_keys` (for tokens `token_keys`), or a class without"
        " arguments that makes one, or a function that returns keys by their ids. Named in"
        " `spool.key_provider` or `redaction.key_provider`.",
        "fapilog.detectors": "A detector of sensitive values, or a class or function without arguments that"
        " makes one. Nothing asks for detectors before value redaction is here.",
        "fapilog.profiles": "A `fapilog.compliance.Profile`, or a function without arguments that makes one."
        " Named in `compliance`. One that is broken is an error where it is named.",
        COMMANDS: "A `typer.Typer` or a function: a command of `fapilog` with the plugin's name.",
    }
)

Status = Literal["available", "loaded", "disabled", "broken"]


@dataclass(frozen=True)
class Plugin:
    """One entry point as people see it.

    Attributes:
        name: Its name in the group.
        group: One of `GROUPS`.
        distribution: The installed package that brings it; empty if unknown.
        version: Of that package.
        target: What it points at, as `module:object`.
        status: `available` until it is used, then `loaded` or `broken`; or `disabled` by a setting.
        problem: Why it is broken or what disabled it; else empty.
    """

    name: str
    group: str
    distribution: str
    version: str
    target: str
    status: Status = "available"
    problem: str = ""

    def __str__(self) -> str:
        origin = f"{self.distribution} {self.version}".strip() or self.target
        return f"plugin {self.name} of {self.group} ({origin})"


@dataclass
class _Entry:
    """A plugin with what it was found as."""

    plugin: Plugin
    point: EntryPoint
    loaded: Any = None


class Plugins:
    """The plugins of this environment, seen through one set of settings.

    Args:
        disabled: Names to leave alone, as `name`, `group:name` or `fapilog.group:name`
            (`settings.disabled_plugins`, FAPILOG_DISABLED_PLUGINS).
        points: Entry points; None looks at what is installed, at the first use.

    Example:
        >>> Plugins(points=[]).listed()
        ()
    """

    def __init__(self, disabled: Iterable[str] = (), points: Iterable[EntryPoint] | None = None) -> None:
        self._disabled = frozenset(disabled)
        self._points = points
        self._groups: dict[str, dict[str, _Entry]] = {}
        self._taken: list[Plugin] = []

    def listed(self, *, check: bool = False) -> tuple[Plugin, ...]:
        """Return every plugin, by group and name.

        Args:
            check: Make each, as its use does, so that broken ones show. Commands are loaded only: what can be
                wrong with one besides is for the command line (`fapilog.cli`) to say.
        """
        entries = [entry for group in GROUPS for entry in self._entries(group).values()]
        if check:
            for entry in entries:
                self._check(entry)
        plugins = [entry.plugin for entry in entries] + self._taken
        return tuple(sorted(plugins, key=lambda plugin: (plugin.group, plugin.name, plugin.problem)))

    def names(self, group: str) -> tuple[str, ...]:
        """Return the names in a group, disabled and broken ones too, sorted."""
        return tuple(sorted(self._entries(group)))

    def load(self, group: str, name: str) -> Any:
        """Return the object that a plugin points at; None when it is disabled, broken or not there.

        It is imported once; an import that fails is not tried again.
        """
        entry = self._entries(group).get(name)
        if entry is None:
            return None
        if entry.plugin.status == "available":
            self._guarded(entry, lambda: _imported(entry.point))
        return entry.loaded if entry.plugin.status == "loaded" else None

    def make(self, group: str, name: str, setting: str, origin: str = "settings") -> Any:
        """Return the object a plugin is for: a new one where it points at a class or at a maker.

        Args:
            group: One of `GROUPS`.
            name: As the setting gives it.
            setting: The setting that names it, for the error.
            origin: Where the setting comes from, for the error.

        Returns:
            None when the plugin is disabled or broken.

        Raises:
            ConfigurationError: `plugin-unknown`, if no installed package has a plugin of this name.
        """
        entry = self._entries(group).get(name)
        if entry is None:
            raise ConfigurationError([self._unknown(group, name, setting, origin)])
        target = self.load(group, name)
        if target is None:
            return None
        made: list[Any] = []
        self._guarded(entry, lambda: made.append(_made(group, target)))
        return made[0] if made else None

    def _check(self, entry: _Entry) -> None:
        group = entry.plugin.group
        target = self.load(group, entry.plugin.name)
        if target is not None and group != COMMANDS:
            self._guarded(entry, lambda: _made(group, target))

    def refuse(self, group: str, name: str, problem: str) -> None:
        """Mark a plugin as broken for a reason that its user found, and say so once."""
        entry = self._entries(group)[name]
        if entry.plugin.status != "broken":
            entry.plugin = replace(entry.plugin, status="broken", problem=one_line(problem))
            say("plugin-broken", f"{entry.plugin} is left out: {entry.plugin.problem}", f"{group}:{name}")

    def _guarded(self, entry: _Entry, step: Callable[[], Any]) -> None:
        """Take a step in foreign code; whatever it raises makes the plugin broken, and nothing else."""
        try:
            found = step()
        except (Exception, SystemExit) as error:  # a module that exits must not take the process along
            self.refuse(entry.plugin.group, entry.plugin.name, shown_error(error))
        else:
            if entry.plugin.status == "available":
                entry.loaded = found
                entry.plugin = replace(entry.plugin, status="loaded")

    def _entries(self, group: str) -> dict[str, _Entry]:
        if group not in self._groups:
            self._groups[group] = {}
            for point in _installed(group) if self._points is None else self._points:
                if point.group == group:
                    self._add(self._groups[group], point)
        return self._groups[group]

    def _add(self, found: dict[str, _Entry], point: EntryPoint) -> None:
        distribution, version = _package(point)
        plugin = Plugin(point.name, point.group, distribution, version, point.value)
        if point.name in found:
            problem = f"its name is taken by {found[point.name].plugin}"
            self._taken.append(replace(plugin, status="broken", problem=problem))
            say("plugin-broken", f"{plugin} is left out: {problem}", str(plugin))
            return
        by = self._disabled & {point.name, *(f"{group}:{point.name}" for group in _spellings(point.group))}
        if by:
            plugin = replace(plugin, status="disabled", problem=f"disabled_plugins names {min(by)}")
        found[point.name] = _Entry(plugin, point)

    def _unknown(self, group: str, name: str, setting: str, origin: str) -> Problem:
        known = ", ".join(self.names(group)) or "none is installed"
        remedy = f"correct the name, or install the package that provides it; known: {known}"
        offender = OffendingSetting(setting, repr(name), origin, remedy)
        return Problem(
            "plugin-unknown", f"{setting} names a plugin that is not installed", (offender,), remedy
        )


def _spellings(group: str) -> tuple[str, str]:
    return group, group.removeprefix(PREFIX)


def _installed(group: str) -> Iterable[EntryPoint]:
    try:
        return entry_points(group=group)
    except Exception:
        return [point for point in _installed_one_by_one() if point.group == group]


def _installed_one_by_one() -> Iterator[EntryPoint]:
    """The slow way, for when the metadata of one package is damaged: the others still count."""
    for distribution in distributions():
        try:
            found = tuple(distribution.entry_points)
        except Exception as error:
            what = f"the entry points of {distribution.name or 'a package'} cannot be read: {error}"
            say("plugin-broken", what, what)
        else:
            yield from found


def _package(point: EntryPoint) -> tuple[str, str]:
    try:
        return (point.dist.name, point.dist.version) if point.dist is not None else ("", "")
    except Exception:
        return "", ""


def _imported(point: EntryPoint) -> Any:
    target = point.load()
    contract = getattr(target, CONTRACT_ATTRIBUTE, CONTRACT_VERSION)
    if contract != CONTRACT_VERSION:
        raise TypeError(f"it is made for plugin contract {contract!r}, this fapilog has {CONTRACT_VERSION}")
    if target is None:
        raise TypeError("it points at None")
    return target


def _made(group: str, target: Any) -> Any:
    is_finished = _is_right(group, target) and not inspect.isclass(target)
    made = target if is_finished or not callable(target) else target()
    if not _is_right(group, made):
        raise TypeError(f"{type(made).__name__} is not what the group holds. {GROUPS[group]}")
    return made


def _is_right(group: str, value: Any) -> bool:
    if group == PROCESSORS:
        return is_log_record_processor(value) or batch_function(value) is not None
    if group == "fapilog.enrichers":
        return isinstance(value, Mapping) or callable(value)
    if group == AUTH:
        return callable(value)
    if group == KEY_PROVIDERS:
        return callable(getattr(value, "spool_keys", None)) or inspect.isroutine(value)
    # What finished detectors and profiles look like is for those who take them; here a function makes one.
    return value is not None and not inspect.isroutine(value)


def is_log_record_processor(value: object) -> bool:
    """Tell whether it has what a `LogRecordProcessor` of OpenTelemetry has."""
    methods = ("on_emit", "shutdown", "force_flush")
    return not inspect.isclass(value) and all(callable(getattr(value, name, None)) for name in methods)


def batch_function(value: Any) -> Callable[[Any], Any] | None:
    """Return the async function of a batch processor, which may be that function itself; None: it is none."""
    function = getattr(value, "process", value)
    return function if is_async(function) and not inspect.isclass(value) else None


def is_async(function: Any) -> bool:
    """Tell whether calling it gives a coroutine."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - of an object whose class defines it async
    )
