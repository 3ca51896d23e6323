"""`fapilog redact`: what a policy hides in a text or in a file of lines, why, and what another one would."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import typer

from fapilog.cli import policies
from fapilog.cli.progress import by_bytes
from fapilog.redaction import lines
from fapilog.redaction.explain import Explained, Explainer
from fapilog.redaction.lines import LineRedactor

STDIN = "-"
# Rows of a summary: whoever makes names up gains nothing.
_MOST_ROWS = 1_000
_FAILED = 1

Settings = Annotated[Path | None, typer.Option("--settings", help="Settings file: .yaml, .yml or .json.")]
Profile = Annotated[
    list[str] | None, typer.Option("--profile", help="Compliance profiles in place of the settings' own.")
]


def redact(  # noqa: PLR0913, PLR0917 - one option each
    file: Annotated[
        str | None, typer.Argument(help="JSON lines, OTLP/JSON lines or text; `-` is standard input.")
    ] = None,
    text: Annotated[str | None, typer.Option("--try", help="Redact this text instead of a file.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell what was hidden, which rule, and why; never the value.")
    ] = False,
    shadow: Annotated[
        str | None,
        typer.Option(
            "--shadow",
            help="Count what only one of two policies hides: `keys`, `scan`, a settings file or a profile.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Where redacted lines go; default: standard output.")
    ] = None,
    settings: Settings = None,
    profile: Profile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print explanations and counts as JSON.")] = False,
) -> None:
    """Print what a text or a file looks like under the policy of the settings, or compare two policies.

    Without a mode in the settings, values are scanned. Exit code 1: a line was too long, or a file cannot be
    read or written; what was not scanned is not printed.
    """
    if (text is None) == (file is None):
        raise typer.BadParameter("give a file, or --try with a text")
    if output is not None and file not in (None, STDIN) and _is_same(output, Path(str(file))):
        raise typer.BadParameter("--output is the file that is read; name another one")
    policy = policies.current(settings, profile or ())
    typer.echo(f"policy: {policy.name}", err=True)
    other = policies.named(shadow) if shadow else None
    if other is not None:
        found = _compared(_given(text, file), policy, other)
        _print_shadow(found, policy, other, as_json=as_json)
    elif text is not None:
        _try(text, policy, explain=explain, as_json=as_json)
    elif not _file(str(file), policy, output, explain=explain, as_json=as_json):
        sys.exit(_FAILED)


def _is_same(output: Path, file: Path) -> bool:
    return output.exists() and file.exists() and output.samefile(file)


def _try(text: str, policy: policies.Policy, *, explain: bool, as_json: bool) -> None:
    left = LineRedactor(policy.redaction).line(text)
    if not explain:
        typer.echo(left)
        return
    found = list(lines.findings(text, Explainer(policy.redaction)))
    if as_json:
        typer.echo(json.dumps({"redacted": left, "findings": [asdict(each) for each in found]}, indent=2))
        return
    typer.echo("\n".join([left, *map(_explained, found)]))


def _explained(found: Explained) -> str:
    return (
        f"  {found.path}: {found.type} ({found.rule})\n    why: {found.why}\n"
        f"    action: {found.action}, what stands there: {found.instead}"
    )


def _file(file: str, policy: policies.Policy, output: Path | None, *, explain: bool, as_json: bool) -> bool:
    """Write the redacted lines. False: a line was too long to be scanned."""
    redactor, explainer = (
        LineRedactor(policy.redaction),
        Explainer(policy.redaction, reasons=False) if explain else None,
    )
    counts: Counter[tuple[str, ...]] = Counter()
    too_long = 0
    with ExitStack() as stack:
        target = stack.enter_context(_target(output))
        for line in lines_of(stack, file):
            too_long += line is None
            target.write(lines.redacted(line, redactor) + "\n")
            if explainer is not None and line is not None:
                _count(counts, lines.findings(line, explainer))
    if explainer is not None:
        _print_counts(counts, as_json=as_json)
    if too_long:
        typer.echo(f"{too_long} lines are longer than 16 MiB: a marker stands in their place", err=True)
    return not too_long


def _count(counts: Counter[tuple[str, ...]], found: Iterator[Explained]) -> None:
    for each in found:
        row = (each.path, each.type, each.rule, each.action)
        counts[row if row in counts or len(counts) < _MOST_ROWS else ("(others)", "", "", "")] += 1


def _print_counts(counts: Counter[tuple[str, ...]], *, as_json: bool) -> None:
    """Counts go to standard error: the lines are on standard output."""
    rows = [
        {"path": path, "type": kind, "rule": rule, "action": action, "count": count}
        for (path, kind, rule, action), count in counts.most_common()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2), err=True)
    else:
        texts = ("{count:>9,}  {path}: {type} ({rule}), {action}".format_map(row) for row in rows)
        typer.echo("\n".join(texts) or "nothing was hidden", err=True)


def _given(text: str | None, file: str | None) -> Iterator[str]:
    if text is not None:
        yield text
        return
    with ExitStack() as stack:
        yield from (line for line in lines_of(stack, str(file)) if line is not None)


def _compared(
    given: Iterator[str], policy: policies.Policy, other: policies.Policy
) -> tuple[Counter[str], Counter[str]]:
    one, two = (Explainer(each.redaction, reasons=False) for each in (policy, other))
    only: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for line in given:
        for counts, found in zip(only, lines.differences(line, one, two), strict=True):
            for row, count in found.items():
                counts[row if row in counts or len(counts) < _MOST_ROWS else "(others)"] += count
    return only


def _print_shadow(
    found: tuple[Counter[str], Counter[str]],
    policy: policies.Policy,
    other: policies.Policy,
    *,
    as_json: bool,
) -> None:
    names = (policy.name, other.name)
    if as_json:
        sides = [
            {"policy": name, "only": [{"what": row, "count": count} for row, count in counts.most_common()]}
            for name, counts in zip(names, found, strict=True)
        ]
        typer.echo(json.dumps(sides, indent=2))
        return
    for name, counts in zip(names, found, strict=True):
        typer.echo(f"only {name}: {counts.total():,}")
        for row, count in counts.most_common():
            typer.echo(f"{count:>9,}  {row}")


def lines_of(stack: ExitStack, file: str) -> Iterator[str | None]:
    """Yield the lines of a file, None for one that is too long, with a progress bar on a terminal."""
    source: BinaryIO
    if file == STDIN:
        source, size = sys.stdin.buffer, None
    else:
        try:
            opened = Path(file).open("rb")  # noqa: SIM115 - the stack closes it
            source = stack.enter_context(opened)
            size = Path(file).stat().st_size
        except OSError as error:
            typer.echo(f"cannot read {file}: {error.strerror}", err=True)
            raise typer.Exit(_FAILED) from error
    advance = stack.enter_context(by_bytes(size))
    for line, read in lines.read_lines(source):
        advance(read)
        yield line


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO | Any]:
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("w", encoding="utf-8") as target:
            yield target
    except OSError as error:
        typer.echo(f"cannot write {output}: {error.strerror}", err=True)
        raise typer.Exit(_FAILED) from error
