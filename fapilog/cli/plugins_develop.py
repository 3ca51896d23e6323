"""`fapilog plugins new | validate | dev`: make a plugin, check it, and check it again whenever it changes."""

from __future__ import annotations

import json
import subprocess  # nosec B404 - this command itself, anew for each change
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fapilog.cli.plugin_policy import installed_plugins
from fapilog.cli.plugin_tools.scaffold import KINDS, UnusableNameError, scaffold
from fapilog.cli.plugin_tools.validation import (
    Check,
    NothingToValidateError,
    validate_folder,
    validate_installed,
)

_FAILED = 1
_WATCHED = (".py", ".toml", ".json", ".yaml")
_SKIPPED = {"__pycache__", "build", "dist"}

Target = Annotated[
    str, typer.Argument(help="Folder with a pyproject.toml, or an installed plugin or package.")
]
Live = Annotated[
    bool, typer.Option("--live", help="Call exporters for real: their destination gets some hundred samples.")
]


def new_plugin(
    kind: Annotated[str, typer.Argument(help="exporter, processor, enricher, detector, profile or command.")],
    name: Annotated[str, typer.Argument(help="Of the package: small letters, digits and dashes.")],
    directory: Annotated[Path, typer.Option("--directory", help="Where its folder is made.")] = Path(),
) -> None:
    """Write a new package with one plugin, its tests, README and CI, which pass as they are.

    Exit code 1: the folder is there already.
    """
    if kind not in KINDS:
        raise typer.BadParameter(f"{kind} is no kind; there are {', '.join(KINDS)}")
    try:
        folder = scaffold(kind, name, directory)
    except UnusableNameError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        typer.echo(f"{directory / name} cannot be made: {error.strerror}", err=True)
        sys.exit(_FAILED)
    typer.echo(f"{folder} holds a new {kind}; try: cd {folder} && pytest && fapilog plugins validate .")


def validate(
    target: Target,
    live: Live = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Load a plugin, run what its kind is expected to do, and measure it beside what it promises.

    Needs pytest, whose classes these are. Exit code 1: something failed.
    """
    try:
        found = list(_checks(target, live=live))
    except NothingToValidateError as error:
        typer.echo(str(error), err=True)
        sys.exit(_FAILED)
    except ModuleNotFoundError as error:
        if error.name != "pytest":
            raise
        typer.echo("the conformance suites need pytest: pip install pytest", err=True)
        sys.exit(_FAILED)
    typer.echo(json.dumps([asdict(each) for each in found], indent=2) if as_json else _shown(found))
    if any(each.status == "failed" for each in found):
        sys.exit(_FAILED)


def dev(
    folder: Annotated[Path, typer.Argument(help="With a pyproject.toml.", exists=True, file_okay=False)],
    live: Live = False,
    once: Annotated[bool, typer.Option("--once", help="Do not wait for changes.")] = False,
    interval_millis: Annotated[int, typer.Option(min=10, help="Pause between two looks at the files.")] = 300,
) -> None:
    """Validate a plugin, with the time of its calls, and again whenever a file of it changes. Ends by Ctrl-C.

    Each round is a process of its own: nothing of the code before is left. With `--once` the exit code is
    that of `validate`.
    """
    seen: dict[Path, int] = {}
    while True:
        now = dict(_files(folder))
        if now != seen:
            changed = sorted(
                str(path) for path in now.keys() | seen.keys() if now.get(path) != seen.get(path)
            )
            if seen:
                typer.echo(f"changed: {', '.join(changed)}")
            seen = now
            begun = time.perf_counter()
            code = _validated_apart(folder, live=live)
            typer.echo(f"round of {time.perf_counter() - begun:.1f} s, {'failed' if code else 'passed'}")
            if once:
                sys.exit(code)
        try:
            time.sleep(interval_millis / 1_000)
        except KeyboardInterrupt:
            return


def _checks(target: str, *, live: bool) -> Iterable[Check]:
    folder = Path(target)
    if folder.is_dir():
        return validate_folder(folder, live=live)
    return validate_installed(installed_plugins(), target, live=live)


def _shown(found: list[Check]) -> str:
    lines = [
        f"{each.status:8}{each.plugin}: {each.what}{f' ({each.detail})' if each.detail else ''}"
        for each in found
    ]
    counts = Counter(each.status for each in found)
    summary = ", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "skipped"))
    return "\n".join([*lines, summary])


def _files(folder: Path) -> Iterable[tuple[Path, int]]:
    """What is watched, with the time of its last change."""
    for path in folder.rglob("*"):
        hidden = any(part in _SKIPPED or part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in _WATCHED and not hidden:
            try:
                yield path, path.stat().st_mtime_ns
            except FileNotFoundError:  # an editor writes a new file in its place
                continue


def _validated_apart(folder: Path, *, live: bool) -> int:
    code = "from fapilog.cli.main import main; main()"
    command = [sys.executable, "-c", code, "plugins", "validate", str(folder), *(["--live"] if live else [])]
    return subprocess.run(command, check=False).returncode  # noqa: S603  # nosec B603 - ourselves
