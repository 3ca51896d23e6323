"""`fapilog seal`: make the pair of keys for sealed values, and open what was sealed."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer

from fapilog import _native

app = typer.Typer(help="Make keys for sealed values, and open what was sealed.", no_args_is_help=True)

FAILED = 1
SEALED, OPENED = "fapilog.sealed", "fapilog.opened"
# DER of an X25519 private key up to its 32 bytes (RFC 8410, RFC 5958).
_PRIVATE_DER = bytes.fromhex("302e020100300506032b656e04220420")
_BEGIN, _END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
_TOO_OPEN = 0o077
_MOST_BYTES = 4_096


@app.command("new-key")
def new_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; it must not exist.")],
) -> None:
    """Write a new private key for its owner alone, and print the public one for `redaction.seal_to`.

    Keep the private key away from the processes that log, and keep a copy: without it nothing opens.
    """
    private, public, key_id = _native.seal_new_key()
    text = base64.b64encode(_PRIVATE_DER + private).decode()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as target:
            target.write(f"{_BEGIN}\n{text}\n{_END}\n")
    except OSError as error:
        _refuse(f"{file} cannot be written: {error.strerror}. Name a file that does not exist yet")
    typer.echo(base64.b64encode(public).decode())
    typer.echo(f"key {key_id}: the private key is in {file}; the line above is FAPILOG_SEAL_TO", err=True)


@app.command("open")
def open_sealed(
    file: Annotated[str, typer.Argument(help="JSON lines or OTLP JSON lines; - reads standard input.")],
    key: Annotated[Path, typer.Option("--key", help="The private key, a file of `new-key`.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A new file for its owner alone; default: stdout."),
    ] = None,
) -> None:
    """Write records with what was sealed in them: `fapilog.opened` stands in place of `fapilog.sealed`.

    The first value that was changed, cut or sealed to another key ends it with exit code 1; nothing of that
    line is written.
    """
    private = _private_key(key)
    with ExitStack() as opened:
        source, target = _source(file, opened), _target(output, opened)
        for number, line in enumerate(source, start=1):
            if line.strip():
                target.write(json.dumps(_opened_line(line, number, private), ensure_ascii=False) + "\n")


def _opened_line(line: str, number: int, private: bytes) -> Any:
    try:
        return _opened(json.loads(line), private)
    except json.JSONDecodeError:
        _refuse(f"line {number} is not JSON")
    except (ValueError, RecursionError) as error:
        _refuse(f"line {number}: {error}")


def _opened(value: Any, private: bytes) -> Any:
    """The value, in which every list of sealed values is open."""
    if isinstance(value, list):
        return [_opened(item, private) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("key") == SEALED and "value" in value:  # an attribute of OTLP
        return {"key": OPENED, "value": _otlp(_entries(_otlp_texts(value["value"]), private))}
    return {
        (OPENED if name == SEALED else name): (
            _entries(item, private) if name == SEALED else _opened(item, private)
        )
        for name, item in value.items()
    }


def _entries(texts: Any, private: bytes) -> list[dict[str, str]]:
    if isinstance(texts, str):  # a form that has no lists of its own
        texts = json.loads(texts)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{SEALED} is no list of sealed values")
    opened = _native.seal_open(private, texts)
    return [{"path": path, "type": kind, "value": value} for path, kind, value in opened]


def _otlp_texts(value: Any) -> list[Any]:
    try:
        return [item["stringValue"] for item in value["arrayValue"]["values"]]
    except (KeyError, TypeError):
        raise ValueError(f"{SEALED} is no list of sealed values") from None


def _otlp(entries: Iterable[dict[str, str]]) -> dict[str, Any]:
    def members(entry: dict[str, str]) -> Iterator[dict[str, Any]]:
        yield from ({"key": name, "value": {"stringValue": text}} for name, text in entry.items())

    values = [{"kvlistValue": {"values": list(members(entry))}} for entry in entries]
    return {"arrayValue": {"values": values}}


def _private_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & _TOO_OPEN:
                _refuse(f"others may read or change {path} (mode {stat.S_IMODE(mode):04o}); chmod 600 it")
            text = file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        _refuse(f"{path} cannot be read: {error.strerror}")
    body = "".join(text.replace(_BEGIN, "").replace(_END, "").split())
    try:
        key = base64.b64decode(body, validate=True)
    except ValueError:
        key = b""
    if len(key) != len(_PRIVATE_DER) + 32 or not key.startswith(_PRIVATE_DER):
        _refuse(f"{path} is no private key of `fapilog seal new-key`")
    return key.removeprefix(_PRIVATE_DER)


def _source(file: str, opened: ExitStack) -> Iterable[str]:
    if file == "-":
        return sys.stdin
    try:
        return opened.enter_context(Path(file).open(encoding="utf-8"))
    except OSError as error:
        _refuse(f"{file} cannot be read: {error.strerror}")


def _target(output: Path | None, opened: ExitStack) -> TextIO:
    if output is None:
        return sys.stdout
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        _refuse(f"{output} cannot be written: {error.strerror}. Name a file that does not exist yet")
    return opened.enter_context(os.fdopen(descriptor, "w", encoding="utf-8"))


def _refuse(what: str) -> NoReturn:
    typer.echo(what, err=True)
    raise typer.Exit(FAILED)
