"""The `fapilog` command: its own sub-commands, and those that installed packages add.

Exit codes: 0 done, 1 a command failed, 2 wrong usage or wrong configuration.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated

import typer

from fapilog.cli import bench, config, demo
from fapilog.diagnostics import one_line
from fapilog.errors import ConfigurationError, FapilogError

COMMANDS_GROUP = "fapilog.commands"
FAILED = 1
WRONG_CONFIGURATION = 2

app = typer.Typer(
    name="fapilog",
    help="OpenTelemetry-native logging: look at settings, try it, measure it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(config.app, name="config")
app.command()(demo.demo)
app.command()(bench.bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fapilog {version('fapilog')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """OpenTelemetry-native logging: look at settings, try it, measure it."""
    del show_version


def add_plugin_commands(target: typer.Typer, found: list[EntryPoint] | None = None) -> None:
    """Add the commands of installed packages: a `typer.Typer` or a function per entry point.

    One that cannot be used is named on stderr and skipped: a broken package must not take the others away.

    Args:
        target: Where to add them.
        found: Entry points; None: those of the group `fapilog.commands`.
    """
    taken = {group.name for group in target.registered_groups}
    taken |= {command.name for command in target.registered_commands}
    for entry in sorted(entry_points(group=COMMANDS_GROUP)) if found is None else found:
        try:
            if entry.name in taken:
                raise ValueError("a command of this name exists already")
            _add(target, entry.name, entry.load())
        except Exception as error:
            reason = one_line(f"{type(error).__name__}: {error}")
            typer.echo(f"fapilog: command {entry.name!r} ({entry.value}) is skipped: {reason}", err=True)
        else:
            taken.add(entry.name)


def _add(target: typer.Typer, name: str, command: object) -> None:
    if isinstance(command, typer.Typer):
        target.add_typer(command, name=name)
    elif callable(command):
        target.command(name)(command)
    else:
        raise TypeError("it is neither a typer.Typer nor a function")


def main() -> None:
    """Run the command line; the console script `fapilog`."""
    add_plugin_commands(app)
    try:
        app(prog_name="fapilog")
    except FapilogError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(WRONG_CONFIGURATION if isinstance(error, ConfigurationError) else FAILED)
