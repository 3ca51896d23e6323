"""`fapilog plugins install | update | remove`: nothing is installed that nobody looked at."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated

import typer

from fapilog.cli.plugin_tools import packages
from fapilog.cli.plugin_tools.packages import PackageError, Wheel
from fapilog.plugins import GROUPS

_FAILED = 1
_OURS = "fapilog"
_MOST_FINDINGS = 20

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look, and install nothing.")]
AcceptFindings = Annotated[
    bool, typer.Option("--accept-findings", help="Install although the static check found something grave.")
]


def install(
    package: Annotated[str, typer.Argument(help="Name, with ==version or without; or a wheel.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    accept_findings: AcceptFindings = False,
) -> None:
    """Look into a package, check its source, say what would be installed, ask, and install it with pip.

    The wheel is fetched from the index that pip is configured for, and opened; nothing of it runs. Refused is
    one without an entry point of fapilog, and one in which bandit finds something grave. What it needs is
    named, and not looked into. Exit code 1: it was refused or cannot be had.
    """
    try:
        _install(package, yes=yes, dry_run=dry_run, accept_findings=accept_findings)
    except PackageError as error:
        _stop(error)


def update(
    package: Annotated[str, typer.Argument(help="Name of an installed package.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    accept_findings: AcceptFindings = False,
) -> None:
    """Install the newest version of an installed package, after the same look as `install`.

    Exit code 1: it is not installed, was refused, or cannot be had.
    """
    try:
        now = _installed_version(packages.checked(package))
        typer.echo(f"installed: {package} {now}")
        _install(package, yes=yes, dry_run=dry_run, accept_findings=accept_findings, now=now)
    except PackageError as error:
        _stop(error)


def remove(
    package: Annotated[str, typer.Argument(help="Name of an installed package.")], yes: Yes = False
) -> None:
    """Uninstall a package that brings plugins; no other one.

    Exit code 1: it is not installed, or brings no plugin.
    """
    try:
        now = _installed_version(packages.checked(package))
        points = [point for point in distribution(package).entry_points if point.group in GROUPS]
        if not points:
            raise PackageError(f"{package} {now} brings no plugin; remove it with pip")
        if packages.plain(package) in packages.needed_by(_OURS):
            raise PackageError(f"{package} {now} is a part of fapilog, or fapilog needs it")
        for point in points:
            typer.echo(f"  {point.group}: {point.name}")
        _ask(f"Remove {package} {now}?", yes=yes)
        packages.pip("uninstall", "--yes", "--quiet", package)
    except PackageError as error:
        _stop(error)
    typer.echo(f"removed {package} {now}; settings that name its plugins are wrong now")


def _install(
    package: str, *, yes: bool, dry_run: bool, accept_findings: bool, now: str | None = None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheel = packages.download(package, Path(folder))
        packages.refuse_without_plugins(wheel)
        _show(wheel)
        if wheel.version == now:
            typer.echo(f"{wheel.name} {now} is the newest version there is")
            return
        source = Path(folder) / "source"
        source.mkdir()
        _check(wheel, source, accept_findings=accept_findings)
        wanted = packages.would_install(wheel)
        typer.echo(f"pip would install: {', '.join(wanted) or 'nothing: it is here already'}")
        others = [each for each in wanted if packages.plain(each.split()[0]) != packages.plain(wheel.name)]
        if others:
            typer.echo("not looked into: what the package needs")
        if dry_run or not wanted:
            return
        _ask(f"Install {wheel.name} {wheel.version}?", yes=yes)
        packages.pip("install", "--quiet", str(wheel.path))
    typer.echo(f"installed {wheel.name} {wheel.version}; `fapilog plugins validate {wheel.name}` tries it")


def _show(wheel: Wheel) -> None:
    typer.echo(f"{wheel.name} {wheel.version}: {wheel.summary or 'no summary'}")
    for group, name, target in wheel.plugins:
        typer.echo(f"  {group}: {name} ({target})")
    if wheel.requires:
        typer.echo(f"  needs: {'; '.join(wheel.requires)}")


def _check(wheel: Wheel, folder: Path, *, accept_findings: bool) -> None:
    if not packages.has_bandit():
        typer.secho(
            "NOT CHECKED: bandit is not installed, nobody looked into the source; `pip install bandit` lets"
            " this command do so",
            err=True,
            fg=typer.colors.RED,
            bold=True,
        )
        return
    found = packages.static_check(wheel, folder)
    for finding in found[:_MOST_FINDINGS]:
        typer.echo(f"  {finding}")
    if len(found) > _MOST_FINDINGS:
        typer.echo(f"  and {len(found) - _MOST_FINDINGS} more")
    grave = sum(finding.severity == "HIGH" for finding in found)
    typer.echo(f"static check (bandit): {len(found)} findings, {grave} grave")
    if grave and not accept_findings:
        raise PackageError(
            f"{wheel.name} has {grave} grave findings; --accept-findings installs it all the same"
        )


def _installed_version(package: str) -> str:
    try:
        return distribution(package).version
    except PackageNotFoundError:
        raise PackageError(f"{package} is not installed") from None


def _ask(question: str, *, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        raise PackageError("nothing was changed")


def _stop(error: PackageError) -> None:
    typer.echo(str(error), err=True)
    sys.exit(_FAILED)
