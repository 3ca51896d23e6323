"""Machine instructions per log call, counted by callgrind: a figure that the machine's load cannot change.

A script runs with N and with 2 N calls; the difference over N is the cost of one call, free of start-up. Only
the calling thread counts. `--gate` compares with the limits in instructions.json and fails above 3 %.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.libraries import NotInstalledError, load
from benchmarks.measure import Row, missing
from benchmarks.options import Options
from benchmarks.servers import ROOT

LIMITS = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.03
TIMEOUT_SECONDS = 240.0
# Start-up, a billion instructions, differs by some hundred thousand from run to run: so many calls that
# this is lost in them. Twice the calls must fit into the buffer.
CALLS = {"five": 20_000, "disabled": 100_000, "card": 20_000}
SCENARIOS = tuple(CALLS)
EMPTY = "empty function"
# What durability adds to a call is gated too: `memory` nothing, `process` a copy into the ring.
DURABLE = "fapilog, durability process"
# What scanning values adds: to a record that holds none, and to one that does.
SCANNING = "fapilog, redaction scan"
OURS = {"five": ("fapilog", DURABLE, SCANNING), "disabled": ("fapilog",), "card": (SCANNING,)}

SCRIPT = """\
import sys
sys.path.insert(0, {root!r})
from benchmarks.tasks import active_span
from benchmarks.scenarios import BY_NAME
scenario = BY_NAME[{scenario!r}]
if {name!r} == "empty function":
    from benchmarks.baselines import empty
    from benchmarks.call_loops import keyword_loop
    loop = keyword_loop(empty, scenario)
else:
    from benchmarks.libraries import load
    library = load("fapilog")
    library.prepare("http://127.0.0.1:9")
    loop = library.call(scenario)
with active_span():
    loop(100)
    loop({calls})
import os
os._exit(0)
"""


class MissingToolError(Exception):
    """Valgrind is not there."""


def counted(name: str, scenario: str, calls: int) -> int:
    """Return the instructions of the main thread of one run."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise MissingToolError("valgrind is not installed: apt-get install valgrind")
    code = SCRIPT.format(root=str(ROOT), name=name, scenario=scenario, calls=calls)
    # One arena and a fixed hash seed: the same program makes the same steps.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "FAPILOG_OVERFLOW": "drop_oldest"}
    with tempfile.TemporaryDirectory() as folder:
        if name == SCANNING:
            environment["FAPILOG_REDACTION"] = "scan"
        if name == DURABLE:
            environment["FAPILOG_DURABILITY"] = "process"
            environment |= dict.fromkeys(("FAPILOG_SPOOL_DIRECTORY", "FAPILOG_RING_DIRECTORY"), folder)
        subprocess.run(
            [
                valgrind,
                "--tool=callgrind",
                "--separate-threads=yes",
                f"--callgrind-out-file={folder}/out",
                sys.executable,
                "-c",
                code,
            ],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
        )
        return main_thread_total(Path(folder))


def main_thread_total(folder: Path) -> int:
    """Return the total of thread 1 from callgrind's files."""
    text = (folder / "out-01").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    if found is None:
        raise ValueError("callgrind wrote no totals for thread 1: look at its output with --verbose")
    return int(found.group(1))


def per_call(name: str, scenario: str) -> float:
    """Return the instructions of one call."""
    calls = CALLS[scenario]
    return (counted(name, scenario, 2 * calls) - counted(name, scenario, calls)) / calls


def measure(options: Options) -> tuple[dict[str, float], list[Row]]:
    """Return the counts by `library/scenario`, and the rows."""
    counts: dict[str, float] = {}
    rows: list[Row] = []
    for scenario in SCENARIOS[: options.pick(len(SCENARIOS), 1)]:
        title = f"instructions per call, {scenario}"
        empty = counts[f"{EMPTY}/{scenario}"] = per_call(EMPTY, scenario)
        rows.append(Row(EMPTY, title, empty, "", 1.0))
        try:
            load("fapilog")
        except NotInstalledError as error:
            rows += missing(OURS[scenario], title, "", str(error))
            continue
        for name in OURS[scenario]:
            ours = counts[f"{name}/{scenario}"] = per_call(name, scenario)
            rows.append(Row(name, title, ours, "", ours / empty))
    return counts, rows


def run(options: Options) -> list[Row]:
    """Return the rows, or one that says why there are none."""
    try:
        return measure(options)[1]
    except MissingToolError as error:
        print(f"SKIPPED: instructions: {error}", flush=True)
        return missing(["fapilog", EMPTY], "instructions per call", "", f"skipped: {error}")


def interpreter() -> str:
    """Return the key of the limits: counts of another Python version cannot be compared."""
    return f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"


def exceeded(counts: dict[str, float], limits: dict[str, float]) -> list[str]:
    """Return one line for each count of fapilog above its limit, or without one."""
    lines = []
    for key in (key for key in counts if key.startswith("fapilog")):
        limit = limits.get(key)
        if limit is None:
            lines.append(
                f"{key}: {counts[key]:.0f} instructions, and no limit for it: run with --update and commit"
            )
        elif counts[key] > limit * (1 + TOLERANCE):
            lines.append(f"{key}: {counts[key]:.0f} instructions, limit {limit:.0f} + {TOLERANCE:.0%}")
    return lines


def same_build(counts: dict[str, float], limits: dict[str, float]) -> bool:
    """Return whether the empty function costs what it did when the limits were written.

    Two builds of one Python version differ by more than the tolerance; limits of another build say nothing.
    """
    return all(
        abs(counts[key] - limits[key]) <= TOLERANCE * limits[key]
        for key in counts
        if key.startswith(EMPTY) and key in limits
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one scenario only")
    parser.add_argument("--gate", action="store_true", help="exit 1 when a count exceeds its limit")
    parser.add_argument("--update", action="store_true", help="write the counts as the new limits")
    arguments = parser.parse_args()
    try:
        counts, rows = measure(Options(quick=arguments.quick))
    except MissingToolError as error:
        print(f"SKIPPED: instructions: {error}")
        return 0
    from benchmarks.report import print_rows

    print_rows(rows)
    limits = json.loads(LIMITS.read_text(encoding="utf-8")) if LIMITS.exists() else {}
    if arguments.update:
        limits[interpreter()] = limits.get(interpreter(), {}) | {
            key: round(value) for key, value in counts.items()
        }
        LIMITS.write_text(json.dumps(limits, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if not arguments.gate:
        return 0
    own = limits.get(interpreter(), {})
    if not same_build(counts, own):
        print(
            "SKIPPED: the gate: the empty function costs something else here; the limits are of another build"
        )
        return 0
    lines = exceeded(counts, own)
    print("\n".join(lines) or "all counts within their limits")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
