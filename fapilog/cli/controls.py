"""`fapilog controls`: test that nothing of the bundled values leaves, as a report that can be signed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fapilog.cli import policies
from fapilog.controls import run, signature
from fapilog.controls.report import Report
from fapilog.diagnostics import shown_error
from fapilog.settings import Settings

app = typer.Typer(
    help="Test that redaction holds in every carrier and at every exporter, and sign the report.",
    no_args_is_help=True,
)

FAILED = 1
# What is tested where the settings name no exporter.
_EXAMPLES = ("otlp", "console", "file")
_SHOWN = 40

File = Annotated[Path | None, typer.Option("--settings", help="Settings file: .yaml, .yml or .json.")]


@app.command("test")
def run_test(
    profile: Annotated[
        list[str] | None, typer.Option("--profile", help="Compliance profiles in place of the settings' own.")
    ] = None,
    settings: File = None,
    report: Annotated[Path | None, typer.Option("--report", help="Where the JSON report goes.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="Private key that signs the report: `new-key` makes one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON report.")] = False,
) -> None:
    """Send values of every type in every carrier to the exporters of the settings, and look for them there.

    Everything ends in this process: addresses, files and directories are replaced. Exit code 1: a value was
    found, or records did not arrive.
    """
    loaded, notes = _loaded(settings, profile or ())
    found = run(loaded, progress=_say if sys.stderr.isatty() else lambda _carrier: None)
    found.not_tested += notes
    document = signature.signed(found.plain(), key) if key else signature.unsigned(found.plain())
    if report is not None:
        report.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else "\n".join(_shown(found)))
    if not found.passed:
        sys.exit(FAILED)


@app.command("new-key")
def new_key(
    path: Annotated[Path, typer.Argument(help="File of the private key; `.pub` is the public one.")],
) -> None:
    """Make a key that signs reports; give the public one to who checks them."""
    try:
        public = signature.new_key(path)
    except OSError as error:
        typer.echo(f"cannot write the key: {error}", err=True)
        raise typer.Exit(FAILED) from error
    typer.echo(f"private key: {path} (keep it where the service cannot read it)\npublic key: {public}")


@app.command()
def verify(
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A report of `test`.")],
    public_key: Annotated[
        Path, typer.Option("--public-key", help="Public key that you got on another way than the report.")
    ],
) -> None:
    """Check that a report was signed with a key and not changed since; exit code 1 if not."""
    try:
        document = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        typer.echo(f"{report} cannot be read: {shown_error(error)}", err=True)
        raise typer.Exit(FAILED) from error
    problem = signature.problem_with(document if isinstance(document, dict) else {}, public_key)
    if problem is not None:
        typer.echo(f"{report}: {problem}", err=True)
        raise typer.Exit(FAILED)
    result = document["report"]
    typer.echo(
        f"{report}: signed by {document['signature']['key_id']}, unchanged; result: {result.get('result')}"
    )


def _loaded(path: Path | None, profiles: Sequence[str]) -> tuple[Settings, list[str]]:
    settings = Settings.load(path, **policies.overrides(profiles))
    if settings.exporters is not None:
        return settings, []
    note = f"exporters of yours: the settings name none, so {', '.join(_EXAMPLES)} were tested"
    return settings.with_changes(exporters=_EXAMPLES), [note]


def _say(carrier: str) -> None:
    typer.echo(f"testing {carrier}", err=True)


def _shown(report: Report) -> Iterator[str]:
    plain = report.plain()
    profiles = ", ".join(f"{each['name']} {each['version']}" for each in plain["profiles"]) or "none"
    yield f"profiles: {profiles}; policy {plain['policy_sha256'][:16]}; fapilog {plain['fapilog']}"
    yield (
        f"sent: {len(report.types)} types in {len(plain['carriers'])} carriers;"
        f" looked at: {', '.join(report.exporters)}"
    )
    if not report.outcomes:
        yield (
            "nothing was sent, so nothing can be said: set redaction.mode (FAPILOG_REDACTION) to scan,"
            " or name a profile with --profile"
        )
    yield from _clauses(report.clauses)
    totals = plain["totals"]
    yield f"vectors: {totals['vectors']:,}, passed {totals['passed']:,}, failed {totals['failed']:,}"
    for each in plain["failures"][:_SHOWN]:
        form = f" ({each['form']})" if each["form"] else ""
        yield f"  {each['result']}: {each['type']} in {each['carrier']} at {each['exporter']}{form}"
    if len(plain["failures"]) > _SHOWN:
        yield f"  and {len(plain['failures']) - _SHOWN} more; --report writes all"
    for each in plain["missing"]:
        yield f"  did not arrive: {each['records']} records of {each['carrier']} at {each['exporter']}"
    yield "not tested:"
    yield from (f"  {note}" for note in report.not_tested)
    yield f"result: {plain['result']}; it speaks for these values on this pipeline, and for nothing else"


def _clauses(clauses: list[dict[str, Any]]) -> Iterator[str]:
    width = max((len(f"{each['profile']} {each['id']}") for each in clauses), default=0)
    for each in clauses:
        name = f"{each['profile']} {each['id']}".ljust(width)
        counted = f"{each['vectors']:>6,} vectors" if each["vectors"] else " " * 14
        yield f"{name}  {each['result']:<10} {counted}  {each['mechanism']}"
