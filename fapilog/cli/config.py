"""`fapilog config`: what the settings are, where each comes from, and whether they are right."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml

from fapilog.errors import ConfigurationError
from fapilog.settings import Settings
from fapilog.settings.nesting import nest

app = typer.Typer(help="Look at the settings that a service started here would use.", no_args_is_help=True)

File = Annotated[Path | None, typer.Argument(help="Settings file: .yaml, .yml or .json.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(path: File = None, as_json: Json = False) -> None:
    """Print the effective settings; secrets are masked."""
    values = nest({item.name: item.value for item in Settings.load(path).explain()})
    if as_json:
        typer.echo(json.dumps(values, indent=2))
    else:
        typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


@app.command()
def explain(path: File = None, as_json: Json = False) -> None:
    """Print each setting with its value, where it comes from and the variables that can set it."""
    explanation = Settings.load(path).explain()
    typer.echo(json.dumps(explanation.plain(), indent=2) if as_json else str(explanation))


@app.command()
def validate(path: File = None, as_json: Json = False) -> None:
    """Check the settings; exit code 2 and the problems on stderr if they are wrong."""
    try:
        settings = Settings.load(path)
    except ConfigurationError as error:
        if as_json:
            problems = [asdict(problem) for problem in error.problems]
            typer.echo(json.dumps({"valid": False, "problems": problems}, indent=2))
        raise
    origins = {item.origin for item in settings.explain()} - {"default"}
    if as_json:
        typer.echo(json.dumps({"valid": True, "origins": sorted(origins)}))
    else:
        typer.echo(f"settings are valid; set by: {', '.join(sorted(origins)) or 'nothing, all defaults'}")
