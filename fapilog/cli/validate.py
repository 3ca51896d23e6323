"""`fapilog validate`: whether documents have the shape that a destination takes, and where they do not."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fapilog.cli.shape_checks import Check, Problem, escaped, text
from fapilog.cli.shape_documents import ecs, hec, otel
from fapilog.cli.shape_otlp import otlp

_FAILED = 1
_STDIN = "-"
_SPACE = re.compile(r"[ \t\r\n]*")
_ACTIONS = ("create", "index", "update", "delete")


class Shape(StrEnum):
    """What documents can be checked against."""

    otel = "otel"
    ecs = "ecs"
    hec = "hec"
    otlp = "otlp"


_CHECKS: dict[Shape, Check] = {Shape.otel: otel, Shape.ecs: ecs, Shape.hec: hec, Shape.otlp: otlp}


def validate(
    file: Annotated[
        str,
        typer.Argument(
            help="JSON documents, one after the other or one per line, or the body of a bulk request; "
            "`-` is standard input."
        ),
    ],
    shape: Annotated[Shape, typer.Option("--shape", help="The shape that they should have.")],
    most: Annotated[int, typer.Option("--max", min=1, help="Print no more problems than this.")] = 100,
) -> None:
    """Check documents against a shape; print the line, the path and the reason of each problem.

    `otel` and `ecs` are documents for Elasticsearch, with or without action lines, `hec` events for
    Splunk, `otlp` OTLP/JSON log requests. Exit code 1: something is wrong, there is no document, or the file
    cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
        given = content.decode()
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(_FAILED) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        typer.echo(f"line {line}: is not UTF-8", err=True)
        raise typer.Exit(_FAILED) from error
    documents, problems = 0, 0
    for line, is_document, problem in checked(given, shape):
        documents += is_document
        if problem is not None:
            problems += 1
            if problems <= most:
                typer.echo(f"line {line}: {problem.path or '/'}: {problem.reason}")
    _conclude(documents, problems, most, shape)


def _conclude(documents: int, problems: int, most: int, shape: Shape) -> None:
    if problems > most:
        typer.echo(f"... and {problems - most} more")
    found = f"{problems or 'no'} problem{_plural(problems)}"
    typer.echo(f"{documents} document{_plural(documents)} of shape {shape}: {found}", err=True)
    if problems or not documents:
        raise typer.Exit(_FAILED)


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def checked(given: str, shape: Shape) -> Iterator[tuple[int, bool, Problem | None]]:
    """Iterate over line, whether a document begins there, and one of its problems."""
    check = _CHECKS[shape]
    awaited = 0
    for line, value, problems in _values(given):
        for problem in problems:
            yield line, False, problem
        if isinstance(value, _Unread):
            continue
        action = _action(value) if shape in (Shape.otel, Shape.ecs) else None
        if action is not None:
            if awaited:
                yield awaited, False, Problem("", "has no document behind it")
            awaited = line
            for problem in _action_problems(action, value[action]):
                yield line, False, problem
            continue
        awaited = 0
        yield line, True, None
        for problem in _guarded(check, value):
            yield line, False, problem
    if awaited:
        yield awaited, False, Problem("", "has no document behind it")


def _guarded(check: Check, value: Any) -> Iterator[Problem]:
    try:
        yield from check(value, "")
    except RecursionError:
        yield Problem("", "is nested too deeply")


def _action(value: Any) -> str | None:
    """The action of an action line; a document has other fields."""
    if isinstance(value, dict) and len(value) == 1:
        (name,) = value
        if name in _ACTIONS and isinstance(value[name], dict):
            return str(name)
    return None


def _action_problems(action: str, target: dict[str, Any]) -> Iterator[Problem]:
    if action != "create":
        yield Problem(f"/{action}", "data streams take create only")
    for name in ("_index", "_id"):
        if name in target:
            yield from text(target[name], f"/{action}/{name}")


class _Unread:
    """In place of a value that is no JSON."""


class _Repeated(dict[str, Any]):
    """An object with a name that occurs twice."""

    name = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    names = [name for name, _ in pairs]
    repeated = _Repeated(made)
    repeated.name = next(name for name in names if names.count(name) > 1)
    return repeated


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _values(given: str) -> Iterator[tuple[int, Any, list[Problem]]]:
    """Each JSON value with its line and what is wrong with it as JSON."""
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
    at, line = 0, 1
    while True:
        space = _SPACE.match(given, at)
        start = space.end() if space else at
        line += given.count("\n", at, start)
        if start == len(given):
            return
        try:
            value, at = decoder.raw_decode(given, start)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            wrong = getattr(error, "pos", start)
            yield line + given.count("\n", start, wrong), _Unread(), [Problem("", f"is no JSON: {reason}")]
            # What follows is read from the next line on.
            end = given.find("\n", max(wrong, start))
            at = len(given) if end < 0 else end
            line += given.count("\n", start, at)
            continue
        yield line, value, list(_guarded(_repeated, value))
        line += given.count("\n", start, at)


def _repeated(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, _Repeated):
        yield Problem(f"{path}/{escaped(value.name)}", "occurs twice in its object")
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _repeated(member, f"{path}/{escaped(name)}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _repeated(each, f"{path}/{number}")
