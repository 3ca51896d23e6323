"""Checks of one plugin: its contract, what its kind is expected to do, and what it costs beside its promise.

The conformance classes are those of `fapilog.testing`, run here without pytest's command line.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

from fapilog.compliance import Profile
from fapilog.diagnostics import shown_error
from fapilog.plugins import (
    COMMANDS,
    DETECTORS,
    ENRICHERS,
    EXPORTERS,
    GROUPS,
    PROCESSORS,
    PROFILES,
    PluginMetadata,
    PluginPolicy,
    Plugins,
    PluginUnusableError,
    batch_function,
)
from fapilog.settings import Settings

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        plugin: Name of the plugin.
        what: What was checked.
        status: How it went.
        detail: Why it failed or was skipped; of a measurement, the figures.
    """

    plugin: str
    what: str
    status: Status
    detail: str = ""


class NothingToValidateError(ValueError):
    """There is no plugin where one was looked for: a clause that says so."""


def points_in(folder: Path) -> tuple[EntryPoint, ...]:
    """Return the entry points of a source folder's `pyproject.toml`, and let its modules be imported.

    Raises:
        NothingToValidateError: It has none of ours.
    """
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    except (OSError, ValueError, KeyError) as error:
        raise NothingToValidateError(f"{folder} has no pyproject.toml with a [project]: {error}") from None
    groups = project.get("entry-points", {})
    points = tuple(
        EntryPoint(name, value, group)
        for group, names in groups.items()
        if group in GROUPS
        for name, value in names.items()
    )
    if not points:
        raise NothingToValidateError(f"{folder} has no entry point in a group of fapilog")
    for place in (folder / "src", folder):
        if place.is_dir():
            sys.path.insert(0, str(place.resolve()))
    importlib.invalidate_caches()
    return points


def validate(plugins: Plugins, group: str, name: str, *, live: bool = False) -> Iterator[Check]:
    """Yield what was checked of one plugin.

    Args:
        plugins: Where it is found.
        group: Its group.
        name: Its name.
        live: Call an exporter, whose destination then gets samples.
    """
    try:
        made = plugins.load(group, name) if group == COMMANDS else plugins.require(group, name)
    except PluginUnusableError as error:
        yield Check(name, "it can be loaded and made", "failed", str(error))
        return
    found = plugins.find(group, name)
    if made is None or found is None:
        yield Check(name, "it can be loaded and made", "failed", found.problem if found else "not installed")
        return
    yield Check(name, "it can be loaded and made", "passed", f"{(found.load_seconds or 0) * 1e3:,.0f} ms")
    yield _described(name, found.metadata)
    yield from _conformance(group, name, lambda: plugins.require(group, name), made, live=live)
    yield from _performance(group, name, made, found.metadata, live=live)


def _described(name: str, metadata: PluginMetadata | None) -> Check:
    what = "it says what it is (PluginMetadata)"
    if metadata is None:
        return Check(name, what, "skipped", "it has no attribute fapilog_plugin")
    if metadata.name != name:
        return Check(name, what, "failed", f"it calls itself {metadata.name!r}")
    try:
        metadata.settings_schema()
    except Exception as error:
        return Check(name, what, "failed", f"its settings have no schema: {shown_error(error)}")
    return Check(name, what, "passed", f"{metadata.type} {metadata.version}, contract {metadata.api_version}")


def _conformance(group: str, name: str, make: Callable[[], Any], made: Any, *, live: bool) -> Iterator[Check]:
    if group == PROFILES:
        yield _tried(name, "settings take the profile", lambda: _use_profile(made))
        return
    suite = _suite(group, make, made)
    if suite is None:
        return
    for test in sorted(attribute for attribute in dir(suite) if attribute.startswith("test_")):
        what = test.removeprefix("test_").replace("_", " ")
        if group == EXPORTERS and not live and test != "test_it_is_an_exporter_with_a_name":
            yield Check(name, what, "skipped", "it would send samples; --live does")
        else:
            yield _tried(name, what, getattr(suite(), test))


def _suite(group: str, make: Callable[[], Any], made: Any) -> type[Any] | None:
    """The conformance class of a kind, filled in; None: there is none."""
    # Here, so that what only lists plugins does not need pytest.
    from fapilog import testing  # noqa: PLC0415

    bases: dict[str, tuple[str, str]] = {
        EXPORTERS: ("ExporterConformance", "make_exporter"),
        PROCESSORS: ("ProcessorConformance", "make_processor"),
        ENRICHERS: ("EnricherConformance", "make_enricher"),
        DETECTORS: ("DetectorConformance", "make_detector"),
    }
    if group not in bases or (group == PROCESSORS and batch_function(made) is None):
        return None
    base, method = bases[group]
    return type("Validated", (getattr(testing, base),), {method: lambda _self: make()})


def _tried(name: str, what: str, test: Callable[[], object]) -> Check:
    try:
        test()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        # pytest.skip raises an exception of pytest's own, which need not be installed.
        skipped = type(error).__name__ == "Skipped"
        return Check(name, what, "skipped" if skipped else "failed", shown_error(error).partition("\n")[0])
    return Check(name, what, "passed")


def _use_profile(made: Any) -> None:
    if not isinstance(made, Profile):
        raise TypeError(f"{type(made).__name__} is no Profile")
    with tempfile.TemporaryDirectory() as folder:
        Settings.load(environ={}, compliance=[made], spool={"directory": folder})


def _performance(
    group: str, name: str, made: Any, metadata: PluginMetadata | None, *, live: bool
) -> Iterator[Check]:
    kind = {EXPORTERS: "exporter", PROCESSORS: "processor", ENRICHERS: "enricher"}.get(group)
    if kind is None or (group == EXPORTERS and not live):
        return
    if group == PROCESSORS and batch_function(made) is None:
        return
    from fapilog.testing import measure_plugin  # noqa: PLC0415 - as `_suite`

    what = "it costs what it promises"
    try:
        cost = measure_plugin(kind, made)
    except Exception as error:
        yield Check(name, what, "failed", shown_error(error))
        return
    promised = metadata.performance if metadata is not None else None
    micros = promised.call_micros if promised is not None else None
    rate = promised.records_per_second if promised is not None else None
    slow = micros is not None and cost.median_micros > micros
    few = rate is not None and cost.records_per_second < rate
    said = " and ".join(
        text
        for text, given in ((f"{micros or 0:,.0f} us a call", micros), (f"{rate or 0:,.0f} records/s", rate))
        if given is not None
    )
    yield Check(name, what, "failed" if slow or few else "passed", f"{cost}; promised: {said or 'nothing'}")
    if kind == "exporter" and callable(getattr(made, "shutdown", None)):
        _shut_down(made)


def _shut_down(exporter: Any) -> None:
    function = exporter.shutdown
    try:
        answer = function(1_000) if hasattr(exporter, "export_batch") else function()
        if asyncio.iscoroutine(answer):
            asyncio.run(answer)
    except Exception as error:
        sys.stderr.write(f"shutdown: {shown_error(error)}\n")


def validate_folder(folder: Path, *, live: bool = False) -> Iterator[Check]:
    """Yield what was checked of the plugins of a source folder.

    Args:
        folder: With a `pyproject.toml`.
        live: As `validate`.

    Raises:
        NothingToValidateError: There is no plugin.
    """
    points = points_in(folder)
    plugins = Plugins(PluginPolicy(), points)
    for point in points:
        yield from validate(plugins, point.group, point.name, live=live)


def validate_installed(plugins: Plugins, name: str, *, live: bool = False) -> Iterator[Check]:
    """Yield what was checked of the installed plugins of a name, or of the package of that name.

    Raises:
        NothingToValidateError: There is none.
    """
    found = [plugin for plugin in plugins.listed() if name in (plugin.name, plugin.distribution)]
    if not found:
        raise NothingToValidateError(f"no installed plugin or package is called {name}")
    for plugin in found:
        yield from validate(plugins, plugin.group, plugin.name, live=live)
