"""The `fapilog` command: its own sub-commands, and those that installed packages add.

Exit codes: 0 done, 1 a command failed, 2 wrong usage or wrong configuration.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from fapilog.cli import bench, config, controls, demo, gaps, inventory, plugins, redact, seal, spool, validate
from fapilog.cli.plugin_policy import installed_plugins
from fapilog.diagnostics import shown_error
from fapilog.errors import ConfigurationError, FapilogError
from fapilog.plugins import COMMANDS, Plugins

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
app.add_typer(controls.app, name="controls")
app.add_typer(plugins.app, name="plugins")
app.add_typer(seal.app, name="seal")
app.add_typer(spool.app, name="spool")
app.command()(demo.demo)
app.command()(bench.bench)
app.command()(gaps.gaps)
app.command()(redact.redact)
app.command()(inventory.inventory)
app.command()(validate.validate)


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


def add_plugin_commands(target: typer.Typer, found: Plugins | None = None) -> None:
    """Add the commands of installed packages: a `typer.Typer` or a function per plugin.

    One that cannot be used is named on stderr and skipped: a broken package must not take the others away.

    Args:
        target: Where to add them.
        found: The plugins; None: those installed that FAPILOG_PLUGINS_ALLOW and _DENY let be used.
    """
    taken = {group.name for group in target.registered_groups}
    taken |= {command.name for command in target.registered_commands}
    if found is None:
        found = installed_plugins()
    for name in found.names(COMMANDS):
        command = found.load(COMMANDS, name)
        if command is None:
            continue
        exists = "a command of this name exists already" if name in taken else ""
        problem = exists or plugins.command_problem(name, command)
        if problem:
            found.refuse(COMMANDS, name, problem)
        else:
            plugins.add_command(target, name, command)


def main() -> None:
    """Run the command line; the console script `fapilog`."""
    add_plugin_commands(app)
    try:
        app(prog_name="fapilog")
    except FapilogError as error:
        typer.echo(shown_error(error), err=True)
        sys.exit(WRONG_CONFIGURATION if isinstance(error, ConfigurationError) else FAILED)
