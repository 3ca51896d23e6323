"""`fapilog plugins`: what installed packages add, whether it can be used, and where more is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
import typer.main

from fapilog.cli import plugins_develop, plugins_install
from fapilog.cli.plugin_policy import installed_plugins
from fapilog.cli.plugin_tools import catalogue, packages
from fapilog.diagnostics import shown_error
from fapilog.plugins import (
    COMMANDS,
    ENRICHERS,
    PROCESSORS,
    Plugin,
    PluginMetadata,
    Plugins,
    batch_function,
)

app = typer.Typer(help="Look at what installed packages add to fapilog, and add more.", no_args_is_help=True)

_HEAD = ("group", "name", "package", "version", "status", "load", "problem")
_FAILED = 1


@app.callback()
def _plugins() -> None:
    """Look at what installed packages add to fapilog, and add more."""


@app.command("list")
def list_plugins(
    check: Annotated[bool, typer.Option("--check", help="Make each; exit code 1 if one is broken.")] = False,
    call: Annotated[
        bool,
        typer.Option("--call", help="As --check, and call enrichers and batch processors with samples."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every plugin with its package, version, status and problem.

    How plugins do in a process that runs, its `Telemetry.health().plugins` says.
    """
    installed = installed_plugins()
    if check or call:
        _check_commands(installed)
    found = installed.listed(check=check or call)
    costs = dict(_called(installed, found)) if call else {}
    if call:
        found = installed.listed()
    rows = [_row(plugin) | costs.get((plugin.group, plugin.name), {}) for plugin in found]
    typer.echo(json.dumps(rows, indent=2) if as_json else _table(rows))
    if (check or call) and any(plugin.status == "broken" for plugin in found):
        sys.exit(_FAILED)


@app.command()
def info(name: Annotated[str, typer.Argument(help="Of a plugin or of a package.")]) -> None:
    """Print what a plugin says of itself, installed or in the catalogue; else what pip's index has.

    Exit code 1: nobody knows it.
    """
    installed = installed_plugins()
    found = [plugin for plugin in installed.listed() if name in (plugin.name, plugin.distribution)]
    for plugin in found:
        installed.load(plugin.group, plugin.name)
        after = installed.find(plugin.group, plugin.name)
        typer.echo(_described(after or plugin))
    # By a plugin's name too: of a package that happens to be called so on pip's index nobody asked.
    listed = catalogue.named(name)
    for each in listed:
        typer.echo(_listed(each))
    if not found and not listed:
        known = packages.versions(name)
        if not known:
            typer.echo(f"{name} is neither installed, nor in the catalogue, nor on pip's index", err=True)
            sys.exit(_FAILED)
        typer.echo(f"{name}: not installed; on pip's index in {len(known)} versions, the newest {known[0]}")


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="What the package does; empty: the whole catalogue.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask pip's index.")] = False,
) -> None:
    """Search in the catalogue that comes with fapilog, and look a package up by its exact name.

    Package indexes have no search: what is neither in the catalogue nor called exactly so is not found. Exit
    code 1: nothing was found.
    """
    found = catalogue.search(words)
    for each in found:
        typer.echo(_listed(each))
    exact = [] if offline or any(each.name == words for each in found) else packages.versions(words)[:1]
    for version in exact:
        typer.echo(f"{words} {version} is on pip's index; `fapilog plugins install {words}` looks into it")
    if not found and not exact:
        typer.echo(f"nothing was found for {words!r}", err=True)
        sys.exit(_FAILED)


app.command()(plugins_install.install)
app.command()(plugins_install.update)
app.command()(plugins_install.remove)
app.command("new")(plugins_develop.new_plugin)
app.command()(plugins_develop.validate)
app.command()(plugins_develop.dev)


def _check_commands(installed: Plugins) -> None:
    for name in installed.names(COMMANDS):
        command = installed.load(COMMANDS, name)
        if command is not None and (problem := command_problem(name, command)):
            installed.refuse(COMMANDS, name, problem)


def _called(installed: Plugins, found: Iterable[Plugin]) -> Iterable[tuple[tuple[str, str], dict[str, Any]]]:
    """Call what can be called without a destination; one that raises is broken."""
    from fapilog.testing import measure_plugin  # noqa: PLC0415 - brings the whole pipeline

    kinds = {ENRICHERS: "enricher", PROCESSORS: "processor"}
    for plugin in found:
        if plugin.status != "loaded" or plugin.group not in kinds:
            continue
        made = installed.make(plugin.group, plugin.name, "plugins")
        if made is None or (plugin.group == PROCESSORS and batch_function(made) is None):
            continue
        try:
            cost = measure_plugin(kinds[plugin.group], made, calls=20, records=10)
        except Exception as error:
            installed.refuse(plugin.group, plugin.name, shown_error(error))
        else:
            yield (plugin.group, plugin.name), {"call_micros": round(cost.median_micros, 1)}


def add_command(target: typer.Typer, name: str, command: Any) -> None:
    """Add a plugin's command: a `typer.Typer` or a function."""
    if isinstance(command, typer.Typer):
        target.add_typer(command, name=name)
    else:
        target.command(name)(command)


def command_problem(name: str, command: object) -> str:
    """Return why typer cannot make a command of it, tried alone: a failure later takes all commands away."""
    if not callable(command):
        return "it is neither a typer.Typer nor a function"
    alone = typer.Typer()
    try:
        add_command(alone, name, command)
        typer.main.get_command(alone)
    except Exception as error:
        return shown_error(error)
    return ""


def _row(plugin: Plugin) -> dict[str, Any]:
    said = plugin.metadata
    seconds = plugin.load_seconds
    return {
        "name": plugin.name,
        "group": plugin.group,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "target": plugin.target,
        "status": plugin.status,
        "problem": plugin.problem,
        "load_millis": None if seconds is None else round(seconds * 1_000, 1),
        "contract": None if said is None else said.api_version,
    }


def _table(found: list[dict[str, Any]]) -> str:
    if not found:
        return "no plugins are installed"
    called = any("call_micros" in row for row in found)
    head = (*_HEAD[:-1], "call", _HEAD[-1]) if called else _HEAD
    rows = [head]
    for row in found:
        load = "" if row["load_millis"] is None else f"{row['load_millis']:g} ms"
        cells = [row["group"], row["name"], row["distribution"], row["version"], row["status"], load]
        if called:
            cells.append(f"{row['call_micros']:g} us" if "call_micros" in row else "")
        rows.append((*cells, row["problem"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _described(plugin: Plugin) -> str:
    lines = [f"{plugin} is {plugin.status}" + (f": {plugin.problem}" if plugin.problem else "")]
    said = plugin.metadata
    if said is None:
        return "\n".join([*lines, "  it says nothing of itself (no PluginMetadata)"])
    promised = said.performance
    figures = {"records/s at least": promised.records_per_second, "us a call at most": promised.call_micros}
    promises = ", ".join(f"{value:,g} {unit}" for unit, value in figures.items() if value is not None)
    lines += [
        f"  {said.type} {said.name} {said.version}, plugin contract {said.api_version}",
        f"  {said.description or 'no description'}",
        f"  promises: {promises or 'nothing'}",
        f"  certified by its author under: {', '.join(said.certified_profiles) or 'no profile'}",
    ]
    return "\n".join([*lines, *_settings(said)])


def _settings(said: PluginMetadata) -> Iterable[str]:
    """The settings of a plugin: its variables where they are known, else its schema."""
    schema = said.settings_schema()
    if schema is None:
        return
    yield "  settings:"
    prefix, properties = getattr(said.settings, "prefix", None), schema.get("properties", {})
    if not isinstance(prefix, str) or not properties:
        yield from (f"    {line}" for line in json.dumps(schema, indent=2).splitlines())
        return
    for name, described in properties.items():
        default = described.get("default")
        value = "needed" if name in schema.get("required", ()) else "-" if default is None else default
        yield f"    {prefix}{name.upper()} ({value}): {described.get('description', 'no description')}"


def _listed(each: catalogue.Listed) -> str:
    whose = "of the makers of fapilog" if each.ours else "of others, works behind fapilog"
    return f"{each.name} ({whose})\n  {each.summary}\n  {'; '.join(each.plugins)}"
