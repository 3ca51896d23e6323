"""A command of `fapilog`: says what is configured here."""

import typer
from fapilog import PluginMetadata, Settings

fapilog_plugin = PluginMetadata(name="show-level", version="0.1.0", type="command")

app = typer.Typer(help="Say what is configured here.", no_args_is_help=True)


@app.callback()
def _main() -> None:
    """Say what is configured here."""


@app.command()
def level() -> None:
    """Print the level that the environment asks for."""
    typer.echo(Settings.load().level.text)
