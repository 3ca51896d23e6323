"""`fapilog plugins`: what installed packages add, and whether it can be used."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
import typer.main

from fapilog.cli.plugin_policy import installed_plugins
from fapilog.diagnostics import shown_error
from fapilog.plugins import COMMANDS, Plugin, Plugins

app = typer.Typer(help="Look at what installed packages add to fapilog.", no_args_is_help=True)

_HEAD = ("group", "name", "package", "version", "status", "problem")


@app.callback()
def _plugins() -> None:
    """Look at what installed packages add to fapilog."""


@app.command("list")
def list_plugins(
    check: Annotated[bool, typer.Option("--check", help="Make each; exit code 1 if one is broken.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every plugin with its package, version, status and problem."""
    installed = installed_plugins()
    if check:
        _check_commands(installed)
    found = installed.listed(check=check)
    typer.echo(json.dumps([asdict(plugin) for plugin in found], indent=2) if as_json else _table(found))
    if check and any(plugin.status == "broken" for plugin in found):
        sys.exit(1)


def _check_commands(installed: Plugins) -> None:
    for name in installed.names(COMMANDS):
        command = installed.load(COMMANDS, name)
        if command is not None and (problem := command_problem(name, command)):
            installed.refuse(COMMANDS, name, problem)


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


def _table(found: tuple[Plugin, ...]) -> str:
    if not found:
        return "no plugins are installed"
    rows = [_HEAD] + [
        (plugin.group, plugin.name, plugin.distribution, plugin.version, plugin.status, plugin.problem)
        for plugin in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
