"""Run every benchmark, keep the results, write the pages made from them: `python -m benchmarks.run`."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.options import Options
from benchmarks.servers import ROOT

BENCHMARKS = {
    "caller_cost": "What a call costs the caller",
    "end_to_end": "From the call to the acknowledgement",
    "third_party": "To exporters written in Python",
    "exporters": "To Splunk, Elasticsearch and Kafka",
    "faults": "While the receiver fails",
    "slow_receiver": "While the receiver is slow or limited",
    "durability": "What outlives the process",
    "memory": "Memory of queued records",
    "scaling": "Threads and processes",
    "flight_recorder": "Records that are kept for failures",
    "redaction": "Sensitive values",
    "fastapi_overhead": "Requests of a FastAPI application",
    "footprint": "Import, set-up, size, exit",
    "instructions": "Instructions per call",
}
RESULTS = ROOT / "benchmarks" / "results" / "latest.json"


def one(name: str, options: Options) -> dict[str, Any]:
    """Run one benchmark; a failure becomes part of the results and of the exit status."""
    print(f"\n== {name}: {BENCHMARKS[name]}", flush=True)
    start = time.perf_counter()
    module = import_module(f"benchmarks.{name}")
    rows, failure = [], None
    try:
        rows = module.run(options)
        report.print_rows(rows)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
        print(f"FAILED: {failure}", flush=True)
    return {
        "title": BENCHMARKS[name],
        "lead": " ".join(inspect.cleandoc(module.__doc__ or "").split()),
        "seconds": round(time.perf_counter() - start, 1),
        "failure": failure,
        "rows": [row.to_json() for row in rows],
    }


def merged(last: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the last results with some benchmarks measured anew, which say when that was.

    Facts of the machine stay those of the run of all; only those that it did not know are added.
    """
    facts = new["machine"]
    own = {"date": facts["date"], "commit": facts["commit"], "short": new["short"]}
    measured = {name: found | {"measured": own} for name, found in new["benchmarks"].items()}
    found = last["benchmarks"] | measured
    return last | {
        "machine": facts | last["machine"],
        "benchmarks": {name: found[name] for name in BENCHMARKS if name in found},
    }


def write(results: dict[str, Any], readme: Path, document: Path) -> None:
    """Write the results file, the page, and the table in the README."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(report.document(results), encoding="utf-8")
    if not readme.exists():
        print(f"SKIPPED: the README table: there is no {readme.name}")
        return
    text = report.insert_between_markers(readme.read_text(encoding="utf-8"), report.readme_table(results))
    readme.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about three minutes; written to no page")
    parser.add_argument("--short", action="store_true", help="fewer rounds where one takes over four minutes")
    parser.add_argument(
        "--only", nargs="*", choices=list(BENCHMARKS), help="some benchmarks; written to no page"
    )
    parser.add_argument(
        "--update", action="store_true", help="with --only: written to the pages, beside the last results"
    )
    parser.add_argument("--from-results", action="store_true", help="write the pages again from latest.json")
    arguments = parser.parse_args()
    readme, document = ROOT / "README.md", ROOT / "docs" / "benchmarks.md"
    if arguments.from_results:
        write(json.loads(RESULTS.read_text(encoding="utf-8")), readme, document)
        return 0
    options = Options(quick=arguments.quick, short=arguments.short)
    facts = machine.describe()
    names = arguments.only or list(BENCHMARKS)
    results: dict[str, Any] = {
        "machine": facts,
        "quick": options.quick,
        "short": options.short,
        "benchmarks": {name: one(name, options) for name in names},
    }
    failed = [name for name, found in results["benchmarks"].items() if found["failure"]]
    if arguments.update and not options.quick and not failed:
        write(merged(json.loads(RESULTS.read_text(encoding="utf-8")), results), readme, document)
    elif not options.quick and not arguments.only:
        write(results, readme, document)
    seconds = sum(found["seconds"] for found in results["benchmarks"].values())
    parts = ", ".join(f"{name} {found['seconds']:.0f}" for name, found in results["benchmarks"].items())
    print(f"\n{seconds:.0f} s ({parts})" + "".join(f"\nFAILED: {name}" for name in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
