"""`fapilog spool`: what waits on disk and in crash rings, whether it is intact; deliver or remove it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from opentelemetry.sdk.resources import Resource

from fapilog import _native
from fapilog.cli import rings
from fapilog.cli.report import ledger_lines
from fapilog.settings import RingSettings, Settings

app = typer.Typer(
    help="Look at records that wait on disk and in crash rings; deliver or remove them.", no_args_is_help=True
)

FAILED = 1
_NANOS = 1_000_000_000
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNPROCESSED = (
    "not delivered: {} records that no batch processor has seen. Name the application's in batch_processors"
    " (FAPILOG_BATCH_PROCESSORS), or give --unprocessed to deliver them as they are"
)
_HEAD = ("directory", "process", "records", "bytes", "age", "encrypted", "owed")

Names = Annotated[
    list[str] | None, typer.Argument(help="Directories and rings, as `list` names them; none: all.")
]
Name = Annotated[str, typer.Argument(help="The directory or ring, as `list` names it.")]
Root = Annotated[
    Path | None,
    typer.Option(
        "--directory", help="The spool; default: `spool.directory`, and for rings `ring.directory`."
    ),
]
File = Annotated[Path | None, typer.Option("--settings", help="Settings file: .yaml, .yml or .json.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_directories(directory: Root = None, settings: File = None, as_json: Json = False) -> None:
    """Print directory and crash ring of each process: alive or ended, what waits in it, since when, for whom.

    Rings in shared memory are those of all services and spools of this user.
    """
    places = _places(directory, settings)
    root, (names, paths) = places[0], _chosen(places, None)
    surveys, refused = _surveys(root, names, check=False)
    found = [_listed(name, each) for name, each in surveys]
    found += [rings.listed(path, _oldest_seconds(path)) for path in paths]
    if found or not refused:
        typer.echo(json.dumps(found, indent=2) if as_json else _table(found))
    if refused:
        _refuse("\n".join(refused))


@app.command()
def verify(names: Names = None, directory: Root = None, settings: File = None, as_json: Json = False) -> None:
    """Check every block of records that wait; exit code 1 if something is damaged or missing."""
    places = _places(directory, settings)
    root, (chosen, paths) = places[0], _chosen(places, names)
    surveys, refused = _surveys(root, chosen, check=True)
    found = [_verified(name, each) for name, each in surveys]
    found += [rings.verified(path) for path in paths]
    lines = (rings.verdict(each) if each["kind"] == "ring" else _verdict(each) for each in found)
    if found or not refused:
        typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines) or "nothing waits")
    if refused:
        _refuse("\n".join(refused))
    if any(each["damaged"] for each in found):
        sys.exit(FAILED)


@app.command()
def replay(
    name: Name,
    directory: Root = None,
    settings: File = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to deliver at most.")] = 30.0,
    unprocessed: Annotated[
        bool, typer.Option("--unprocessed", help="Also what no batch processor has seen, as it is.")
    ] = False,
) -> None:
    """Deliver an ended process's records through the exporters of the settings; exit code 1 if some are left.

    Nothing is too old. What no batch processor has seen goes through those that the settings name, or waits.
    A directory or ring that a process holds is refused: that process delivers it. What of a ring is not
    delivered in time goes to the spool.
    """
    places = _places(directory, settings)
    root = places[0]
    if rings.is_ring(name):
        (path,) = _chosen(places, [name])[1]
        _replay_ring(path, root, settings, round(timeout * 1_000))
        return
    found = _survey(root, name, check=False)
    if found["alive"]:
        _refuse(f"{name} belongs to a process that runs; it delivers what is in it")
    wanted: dict[str, Any] = {
        "spool.directory": root,
        "spool.adopt": True,
        "spool.max_age_seconds": None,
    }
    loaded = Settings.load(settings, **wanted)
    processors = None if unprocessed else _processors(loaded)
    ledger = _deliver(loaded, found["service"], name, round(timeout * 1_000), processors)
    typer.echo(ledger_lines(ledger))
    missing = sorted(found["owed"].keys() - ledger.exporters.keys())
    if missing:
        typer.echo(
            f"not delivered, because the settings have no such exporter: {', '.join(missing)}", err=True
        )
    if found["unprocessed_records"] and processors == []:
        typer.echo(_UNPROCESSED.format(found["unprocessed_records"]), err=True)
    left = _left(root, name)
    if left:
        typer.echo(f"{left} records still wait in {name}", err=True)
        sys.exit(FAILED)


@app.command()
def purge(
    names: Names = None,
    directory: Root = None,
    settings: File = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", help="Only where the newest record is older: 90s, 30m, 12h, 3d."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove directories and rings of ended processes with their records; asks, and spares living ones."""
    places, seconds = _places(directory, settings), _seconds(older_than)
    root, (directories, paths) = places[0], _chosen(places, names)
    known = [(name, _survey(root, name, check=False)) for name in directories]
    known += [(str(path), _ring(path)) for path in paths]
    held = [name for name, found in known if found["alive"]]
    if names and held:
        _refuse(f"{', '.join(held)} belongs to a process that runs; nothing was removed")
    chosen = [
        (name, found)
        for name, found in known
        if not found["alive"] and _is_older(root / name, found, seconds)
    ]
    if not chosen:
        typer.echo("nothing to remove")
        return
    for name, found in chosen:
        typer.echo(f"{name}: {found['records']} records, {found['bytes']} bytes")
    if not yes and not typer.confirm("Remove them? Their records are lost."):
        sys.exit(FAILED)
    for name, _ in chosen:
        try:
            is_ring = rings.is_ring(name)
            removed = _native.purge_ring(name) if is_ring else _native.purge_spool(root, name)
        except OSError as error:
            _refuse(str(error))
        typer.echo(f"{name}: {'removed' if removed else 'left alone, a process holds it now'}")


def _places(directory: Path | None, settings: Path | None) -> list[Path]:
    """Return where to look: the spool, and where else crash rings may be, but for shared memory."""
    root, ring = directory, None
    if directory is None:
        loaded = Settings.load(settings)
        root, ring = loaded.spool.directory, loaded.ring.directory
    if root is None:
        raise typer.BadParameter(
            "there is no spool: give --directory, or set spool.directory (FAPILOG_SPOOL_DIRECTORY)"
        )
    if not root.is_dir():
        raise typer.BadParameter(f"{root} is no directory")
    return [root] if ring is None else [root, ring]


def _chosen(places: Sequence[Path], given: Sequence[str] | None) -> tuple[list[str], list[Path]]:
    """Return directories of the spool and crash rings: those that were named, or all."""
    try:
        if not given:
            return _names(places[0], None), rings.found(places)
        known = rings.found(places) if any(map(rings.is_ring, given)) else []
        paths = [rings.named(name, known) for name in given if rings.is_ring(name)]
    except OSError as error:
        _refuse(str(error))
    return [name for name in given if not rings.is_ring(name)], paths


def _ring(path: Path) -> dict[str, Any]:
    try:
        return rings.survey(path)
    except OSError as error:
        _refuse(str(error))


def _names(root: Path, given: Sequence[str] | None) -> list[str]:
    try:
        return list(given) if given else _native.spool_directories(root)
    except OSError as error:
        _refuse(str(error))


def _survey(root: Path, name: str, *, check: bool) -> dict[str, Any]:
    try:
        return _native.survey_spool(root, name, check=check)
    except OSError as error:
        _refuse(str(error))


def _surveys(
    root: Path, names: Sequence[str], *, check: bool
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """What is in each directory; and why some cannot be looked at, which is no reason to hide the others."""
    found, refused = [], []
    for name in names:
        try:
            found.append((name, _native.survey_spool(root, name, check=check)))
        except OSError as error:
            refused.append(str(error))
    return found, refused


def _left(root: Path, name: str) -> int:
    is_there = name in _names(root, None)
    return int(_survey(root, name, check=False)["records"]) if is_there else 0


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(FAILED)


def _replay_ring(path: Path, root: Path, settings: Path | None, timeout_millis: int) -> None:
    from fapilog.otel.outlet import Outlet  # noqa: PLC0415 - what the other commands do not need

    # Without a ring of its own: what is not delivered goes to the spool.
    wanted: dict[str, Any] = {"spool.directory": root, "spool.adopt": True, "durability": "memory"}
    wanted["ring"] = RingSettings().model_dump()
    loaded = Settings.load(settings, **wanted)
    exporters = loaded.exporters or ("otlp",)
    reason = rings.refusal(path, exporters)
    if reason is not None:
        _refuse(reason)
    # Batch processors have not seen what is in a ring.
    outlet = Outlet(loaded, exporters, enrichers=())
    pipeline = outlet.open(Resource({"service.name": _ring(path)["service"]}))
    pipeline.replay_ring(path, timeout_millis)
    outlet.shutdown(1_000)
    ledger = outlet.ledger()
    typer.echo(ledger_lines(ledger))
    waiting = {
        root: max((side.pending for side in ledger.exporters.values()), default=0),
        path: _ring(path)["records"],
    }
    for place, records in waiting.items():
        if records:
            typer.echo(f"{records} records still wait in {place}", err=True)
    if any(waiting.values()):
        sys.exit(FAILED)


def _processors(settings: Settings) -> list[Any]:
    """The batch processors that the settings name; none if one does not work: a part is not enough."""
    from fapilog.otel import given  # noqa: PLC0415 - what the other commands do not need

    found = given.batch_processors(None, settings)
    return found if len(found) == len(settings.batch_processors) else []


def _deliver(
    settings: Settings, service: str, name: str, timeout_millis: int, processors: list[Any] | None
) -> Any:
    """`processors`: None: as it is."""
    from fapilog.otel.outlet import Outlet  # noqa: PLC0415 - what the other commands do not need

    outlet = Outlet(settings, settings.exporters or ("otlp",), processors or (), enrichers=())
    pipeline = outlet.open(Resource({"service.name": service}))
    pipeline.replay_spool(name, timeout_millis, processors != [])
    outlet.shutdown(1_000)
    return outlet.ledger()


def _age_seconds(nanos: int) -> int:
    return max(0, (time.time_ns() - nanos) // _NANOS)


def _oldest_seconds(path: Path) -> int | None:
    logged = _ring(path)["logged_nanos"]
    return None if logged is None else _age_seconds(logged[0])


def _listed(name: str, found: dict[str, Any]) -> dict[str, Any]:
    written = found["written_nanos"]
    return {
        "directory": name,
        "kind": "spool",
        "service": found["service"],
        "process": found["process"],
        "alive": found["alive"],
        "records": found["records"],
        "blocks": found["blocks"],
        "bytes": found["bytes"],
        "oldest_seconds": None if written is None else _age_seconds(written[0]),
        "owed": found["owed"],
        "encrypted_blocks": found["encrypted_blocks"],
        "key_ids": found["key_ids"],
    }


def _verified(name: str, found: dict[str, Any]) -> dict[str, Any]:
    kept = ("alive", "records", "corrupt_bytes", "damaged_blocks", "damaged_records", "read_errors")
    gone = ("missing_segments", "lost_blocks")
    rest = (*gone, "torn_bytes", "torn_records", "set_aside", "other_versions", "positions_lost", "key_ids")
    damage = ("corrupt_bytes", "damaged_blocks", "read_errors", "set_aside", "positions_lost", *gone)
    is_cut_off = found["torn_bytes"] > 0 and not found["alive"]
    return {
        "directory": name,
        "kind": "spool",
        "damaged": is_cut_off or any(found[each] for each in damage),
        "salvageable_records": found["records"] - found["damaged_records"],
        **{each: found[each] for each in kept + rest},
    }


def _verdict(found: dict[str, Any]) -> str:
    salvageable = f"{found['salvageable_records']} of {found['records']} records can be delivered"
    if not found["damaged"]:
        return f"{found['directory']}: intact, {salvageable}"
    facts = [
        f"{found['damaged_blocks']} damaged blocks with {found['damaged_records']} records",
        f"{found['corrupt_bytes']} bytes that belong to no block",
        f"{found['torn_bytes']} bytes cut off at the end, of {found['torn_records']} records",
        f"{found['read_errors']} read errors",
        f"{len(found['set_aside'])} files set aside",
        f"{found['missing_segments']} missing files",
        f"{found['lost_blocks']} blocks gone at most",
    ]
    said = [fact for fact in facts if not fact.startswith("0 ")]
    if found["positions_lost"]:
        said.append("unknown what was delivered, all would be once more")
    return f"{found['directory']}: damaged ({', '.join(said)}), {salvageable}"


def _table(found: Sequence[dict[str, Any]]) -> str:
    if not found:
        return "nothing waits"
    rows = [_HEAD, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    owed = ", ".join(f"{name} {records}" for name, records in sorted(found["owed"].items()))
    keys = ", ".join(f"key {key}" for key in found["key_ids"])
    return (
        found["directory"],
        f"{found['process'] or '-'} {'alive' if found['alive'] else 'ended'}",
        str(found["records"]),
        str(found["bytes"]),
        "-" if found["oldest_seconds"] is None else _short(found["oldest_seconds"]),
        keys or "no",
        owed or "-",
    )


def _short(seconds: int) -> str:
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds >= 2 * _UNITS[unit] or unit == "s")
    return f"{seconds // _UNITS[unit]}{unit}"


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise typer.BadParameter(f"--older-than {text!r} is no age; give 90s, 30m, 12h or 3d")
    return int(match[1]) * _UNITS[match[2]]


def _is_older(path: Path, found: dict[str, Any], seconds: int | None) -> bool:
    if seconds is None:
        return True
    written = found.get("written_nanos", found.get("logged_nanos"))
    newest = path.stat().st_mtime_ns if written is None else written[1]
    return _age_seconds(newest) > seconds
