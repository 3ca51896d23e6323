"""Records per second from the log call to a server that takes everything: a part of `exporters`.

Alone: `python -m benchmarks.delivered`, with words to choose: `python -m benchmarks.delivered splunk`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.delivered_ways import ELASTICSEARCH, WAYS, Way
from benchmarks.end_to_end import LossError
from benchmarks.libraries import NotInstalledError
from benchmarks.measure import TIMES, Goal, Row, missing
from benchmarks.mock_broker import MockBroker, mock_broker
from benchmarks.null_server.server import NullServer, null_server
from benchmarks.options import Options
from benchmarks.servers import ROOT
from benchmarks.surroundings import clean_environment
from benchmarks.worker import WorkerError

RATE, CPU, LOST = "records per second", "CPU per record", "records lost"
MULTIPLE = "multiple of the fastest client or handler in Python"
RATE_GOAL, MULTIPLE_GOAL, LOST_GOAL = Goal(at_least=300_000), Goal(at_least=5), Goal(at_most=0)
OURS = "fapilog"
Server = NullServer | MockBroker
PATIENCE_SECONDS = 200


@dataclass(frozen=True)
class Figures:
    """One round of one way.

    Attributes:
        rate: Records that arrived, per second.
        micros: CPU per record that arrived.
        lost: Records that did not arrive.
        server_micros: CPU of the server per record.
    """

    rate: float
    micros: float
    lost: int
    server_micros: float


def run(options: Options, words: Sequence[str] = ()) -> list[Row]:
    """Return the rows of all ways, or of those whose names have all these words."""
    chosen = [name for name in WAYS if all(word.lower() in name.lower() for word in words)]
    found: dict[str, list[Figures]] = {}
    absent: dict[str, str] = {}
    for make, counted in ((null_server, True), (mock_broker, False)):
        names = [name for name in chosen if WAYS[name].counted_by_server == counted]
        if not names:
            continue
        try:
            with make() as server:
                in_turns(names, server, options, found, absent)
        except NotInstalledError as error:
            absent |= dict.fromkeys(names, str(error))
    return rows_of(found, absent)


def in_turns(
    names: Sequence[str],
    server: Server,
    options: Options,
    found: dict[str, list[Figures]],
    absent: dict[str, str],
) -> None:
    """Run the ways of one server in turns, so that the drift of the machine hits all alike."""
    for _ in range(options.pick(3, 1, 2)):
        for name in names:
            if name in absent:
                continue
            try:
                figures = one(name, server, options)
            except NotInstalledError as error:
                absent[name] = str(error)
            else:
                found.setdefault(name, []).append(figures)


def one(name: str, server: Server, options: Options) -> Figures:
    """Run one way once; raises NotInstalledError when it is not there."""
    count = options.pick(*WAYS[name].counts)
    cpu = server.cpu_seconds()
    reply = ask(name, server.url, count)
    if "missing" in reply:
        raise NotInstalledError(reply["missing"])
    cpu = server.cpu_seconds() - cpu
    prove(name, count, reply)
    arrived = reply["arrived"]
    each = 1e6 / max(arrived, 1)
    return Figures(arrived / reply["seconds"], reply["cpu_seconds"] * each, count - arrived, cpu * each)


def ask(name: str, url: str, count: int) -> dict[str, Any]:
    """Run one way in a process of its own, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.delivered_process", name, url, str(count)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode or not done.stdout:
        raise WorkerError(f"{name}: status {done.returncode}: {done.stderr.strip()[-500:]}")
    reply: dict[str, Any] = json.loads(done.stdout)
    return reply


def prove(name: str, count: int, reply: dict[str, Any]) -> None:
    """Fail when a library that can tell, as ours, did not deliver each record once."""
    account, arrived = reply["account"], reply["arrived"]
    if account and not account["offered"] == account["delivered"] == count == arrived:
        raise LossError(f"{name}: {count} records, {arrived} arrived, {account}")


def rows_of(found: dict[str, list[Figures]], absent: dict[str, str]) -> list[Row]:
    """Return the rows: the best rate, the least CPU, and all that was lost."""
    rows: list[Row] = []
    for group in dict.fromkeys(way.group for way in WAYS.values()):
        named = {name: way for name, way in WAYS.items() if way.group == group}
        best = {name: max(each.rate for each in found[name]) for name in named if name in found}
        peers = [name for name, way in named.items() if way.official and name in best]
        fastest = max((best[name] for name in peers), default=None)
        frugal = min((each.micros for name in peers for each in found[name]), default=None)
        for name, way in named.items():
            if name in absent:
                rows += missing([way.library], RATE, "/s", absent[name], rate_goal(way), group)
            elif name in found:
                rows += rows_of_way(way, found[name], fastest, frugal)
    return rows


def rows_of_way(
    way: Way, rounds: Sequence[Figures], fastest: float | None, frugal: float | None
) -> list[Row]:
    """Return the rows of one way beside the fastest and the most frugal peer in Python."""
    rate, micros = max(each.rate for each in rounds), min(each.micros for each in rounds)
    is_ours = way.library == OURS
    note = way.note or (server_note(rounds) if is_ours else "")
    multiple = rate / fastest if fastest else None
    rows = [
        Row(way.library, RATE, rate, "/s", multiple, rate_goal(way), note, better="higher", group=way.group),
        Row(way.library, CPU, micros, "µs", micros / frugal if frugal else None, group=way.group),
        Row(
            way.library,
            LOST,
            sum(each.lost for each in rounds),
            "",
            goal=LOST_GOAL if is_ours else None,
            group=way.group,
        ),
    ]
    if is_ours:
        goal = MULTIPLE_GOAL if way.group == ELASTICSEARCH else None
        rows.append(Row(OURS, MULTIPLE, multiple, TIMES, goal=goal, better="higher", group=way.group))
    return rows


def rate_goal(way: Way) -> Goal | None:
    """Return the goal of ours."""
    return RATE_GOAL if way.library == OURS else None


def server_note(rounds: Iterable[Figures]) -> str:
    """Say what the server costs, which shares the cores."""
    least = min(each.server_micros for each in rounds)
    return f"the server uses {least:.2f} µs of CPU per record on the same cores"


if __name__ == "__main__":
    from benchmarks.report import print_rows

    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    sys.argv[1:] = [word for word in sys.argv[1:] if word.startswith("--")]
    print_rows(run(Options.from_arguments(), words))
