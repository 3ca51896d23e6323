"""The plugins of this environment: found by group, loaded when used, each isolated.

A plugin that cannot be used is named once on stderr with its package and version, and left out; everything
else goes on. Threads: the configuring one, and one for each load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, Literal

from fapilog.diagnostics import one_line, say, shown_error
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.plugins.groups import (
    COMMANDS,
    EXPORTERS,
    GROUPS,
    INSTRUMENTORS,
    METRICS_EXPORTERS,
    TRACES_EXPORTERS,
    made,
)
from fapilog.plugins.loading import imported, module_of, not_installed, within
from fapilog.plugins.metadata import PluginMetadata, metadata_of
from fapilog.plugins.policy import PluginPolicy

# What is built in stands in OpenTelemetry's groups too, for applications without a line of fapilog.
_OURS = "fapilog"
# Made by their use alone: exporters open connections, a command is for the command line to try, and
# OpenTelemetry makes instrumentors.
_LOADED_ONLY = (EXPORTERS, TRACES_EXPORTERS, METRICS_EXPORTERS, INSTRUMENTORS, COMMANDS)

Status = Literal["available", "loaded", "disabled", "broken"]


# Of this process, whoever asked for it: what `Telemetry.health()` names.
_left_out: dict[tuple[str, str], Plugin] = {}


def left_out() -> tuple[Plugin, ...]:
    """Return the plugins that were asked for in this process, and turned out to be broken."""
    return tuple(_left_out.values())


class PluginUnusableError(Exception):
    """A plugin that cannot be used: a clause that says why."""


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
        metadata: What it says of itself, once it is loaded; None: nothing.
        load_seconds: How long its import and its making took; None: not loaded yet.
    """

    name: str
    group: str
    distribution: str
    version: str
    target: str
    status: Status = "available"
    problem: str = ""
    metadata: PluginMetadata | None = None
    load_seconds: float | None = None

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
        policy: Which may be used (`settings.plugins.policy`); None: all.
        points: Entry points; None looks at what is installed, at the first use.

    Example:
        >>> Plugins(points=[]).listed()
        ()
    """

    def __init__(
        self, policy: PluginPolicy | None = None, points: Iterable[EntryPoint] | None = None
    ) -> None:
        self._policy = policy if policy is not None else PluginPolicy()
        self._points = points
        self._groups: dict[str, dict[str, _Entry]] = {}
        self._left_aside: list[Plugin] = []

    def listed(self, *, check: bool = False) -> tuple[Plugin, ...]:
        """Return every plugin, by group and name.

        Args:
            check: Make each, as its use does, so that broken ones show. Exporters, instrumentors and commands
                are loaded only: an exporter may connect, and what can be wrong with a command besides is for
                the command line (`fapilog.cli`) to say. An instrumentor of a package that is not installed
                is not broken: OpenTelemetry leaves it alone.
        """
        entries = [entry for group in GROUPS for entry in self._entries(group).values()]
        if check:
            for entry in entries:
                self._check(entry)
        plugins = [entry.plugin for entry in entries if entry.plugin.distribution != _OURS] + self._left_aside
        return tuple(sorted(plugins, key=lambda plugin: (plugin.group, plugin.name, plugin.problem)))

    def names(self, group: str) -> tuple[str, ...]:
        """Return the names in a group, disabled and broken ones too, sorted."""
        return tuple(sorted(self._entries(group)))

    def find(self, group: str, name: str) -> Plugin | None:
        """Return one plugin as it is now; None: nobody installed it."""
        entry = self._entries(group).get(name)
        return None if entry is None else entry.plugin

    def load(self, group: str, name: str) -> Any:
        """Return the object that a plugin points at; None when it is disabled, broken or not there.

        It is imported once; an import that fails is not tried again.
        """
        entry = self._entries(group).get(name)
        if entry is None:
            return None
        if entry.plugin.status == "available":
            self._isolated(entry, lambda: self._load(entry))
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
        return None if target is None else self._isolated(entry, lambda: self._make(entry, target))

    def require(self, group: str, name: str) -> Any:
        """Return the object a plugin is for, where going on without it would lose or show what must not be.

        Raises:
            PluginUnusableError: It is not installed, disabled or broken: the message says which and why.
        """
        target = self.require_target(group, name)
        return self._make(self._entries(group)[name], target)

    def require_target(self, group: str, name: str) -> Any:
        """Return the object that a plugin points at, for who makes it with arguments.

        Raises:
            PluginUnusableError: As `require`.
        """
        entry = self._entries(group).get(name)
        if entry is None:
            raise PluginUnusableError("it is not installed")
        if entry.plugin.status == "available":
            self._load(entry)
        if entry.plugin.status != "loaded":
            raise PluginUnusableError(entry.plugin.problem)
        return entry.loaded

    def _check(self, entry: _Entry) -> None:
        group = entry.plugin.group
        unused = not_installed(entry.point) if group == INSTRUMENTORS else ""
        if unused and entry.plugin.status == "available":
            entry.plugin = replace(entry.plugin, problem=f"nothing to instrument: {unused} is not installed")
            return
        target = self.load(group, entry.plugin.name)
        if target is not None and group not in _LOADED_ONLY:
            self._isolated(entry, lambda: self._make(entry, target))

    def refuse(self, group: str, name: str, problem: str) -> None:
        """Mark a plugin as broken for a reason that its user found, and say so once."""
        entry = self._entries(group)[name]
        if entry.plugin.status != "broken":
            entry.plugin = replace(entry.plugin, status="broken", problem=one_line(problem))
        _left_out[group, name] = entry.plugin
        say("plugin-broken", f"{entry.plugin} is left out: {entry.plugin.problem}", f"{group}:{name}")

    def _isolated(self, entry: _Entry, step: Callable[[], Any]) -> Any:
        """Take a step; where it shows that the plugin is broken, say so and return None."""
        try:
            return step()
        except PluginUnusableError as error:
            self.refuse(entry.plugin.group, entry.plugin.name, str(error))
            return None

    def _load(self, entry: _Entry) -> None:
        entry.loaded = self._foreign(entry, lambda: imported(entry.point))
        entry.plugin = replace(
            entry.plugin, status="loaded", metadata=metadata_of(entry.loaded, module_of(entry.point))
        )

    def _make(self, entry: _Entry, target: Any) -> Any:
        return self._foreign(entry, lambda: made(entry.plugin.group, target))

    def _foreign(self, entry: _Entry, step: Callable[[], Any]) -> Any:
        """Take a step in foreign code; whatever it raises makes the plugin broken, and nothing else."""
        begun = time.perf_counter()
        try:
            return within(self._policy.load_seconds, step)
        except (Exception, SystemExit) as error:  # a module that exits must not take the process along
            problem = one_line(_why(error))
            entry.plugin = replace(entry.plugin, status="broken", problem=problem)
            raise PluginUnusableError(problem) from error
        finally:
            spent = time.perf_counter() - begun + (entry.plugin.load_seconds or 0.0)
            entry.plugin = replace(entry.plugin, load_seconds=spent)

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
        if refusal := self._policy.refusal(point.group, point.name, distribution):
            plugin = replace(plugin, status="disabled", problem=refusal)
        before = found.get(point.name)
        if before is not None and "disabled" in (before.plugin.status, plugin.status):
            # What must not be used keeps no name from others.
            self._left_aside.append(plugin if refusal else before.plugin)
            if not refusal:
                found[point.name] = _Entry(plugin, point)
            return
        if before is not None:
            problem = f"its name is taken by {before.plugin}"
            self._left_aside.append(replace(plugin, status="broken", problem=problem))
            say("plugin-broken", f"{plugin} is left out: {problem}", str(plugin))
            return
        found[point.name] = _Entry(plugin, point)

    def _unknown(self, group: str, name: str, setting: str, origin: str) -> Problem:
        known = ", ".join(self.names(group)) or "none is installed"
        remedy = f"correct the name, or install the package that provides it; known: {known}"
        offender = OffendingSetting(setting, repr(name), origin, remedy)
        return Problem(
            "plugin-unknown", f"{setting} names a plugin that is not installed", (offender,), remedy
        )


def _why(error: BaseException) -> str:
    """What is wrong, in one line: settings that are missing read better as a list."""
    if type(error) is TimeoutError:
        return str(error)
    if isinstance(error, ConfigurationError):
        return "; ".join(f"{each.what}: {each.remedy}" for each in error.problems)
    return shown_error(error)


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
