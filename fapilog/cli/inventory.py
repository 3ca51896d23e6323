"""`fapilog inventory`: which keys of a file hold values of which types, counted, never shown."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from fapilog.cli import policies
from fapilog.cli.redact import lines_of
from fapilog.redaction.inventory import of_lines


def inventory(
    file: Annotated[str, typer.Argument(help="JSON lines, OTLP/JSON lines or text; `-` is standard input.")],
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Settings file: .yaml, .yml or .json.")
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option("--profile", help="Compliance profiles in place of the settings' own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count the keys of a file and what the policy finds under them: at most 1,000 places, no value."""
    policy = policies.current(settings, profile or ())
    typer.echo(f"policy: {policy.name}", err=True)
    with ExitStack() as stack:
        lines = (line for line in lines_of(stack, file) if line is not None)
        found = of_lines(lines, policy.redaction)
    typer.echo(json.dumps(found.plain(), indent=2, ensure_ascii=False) if as_json else str(found))
