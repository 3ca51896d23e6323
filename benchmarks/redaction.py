"""What finding sensitive values costs, and how good it is, beside those who look for them in Python.

The corpus is the part that is in the tree (tests/data): fapilog's detectors were tuned on such records, those
of its peers were not.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import ExitStack

from benchmarks import redaction_requests
from benchmarks.end_to_end import count, send
from benchmarks.libraries import NotInstalledError
from benchmarks.measure import TIMES, Goal, Row, best, missing
from benchmarks.options import Options
from benchmarks.redaction_peers import OURS, PEERS, ask
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import ROOT, null_receiver
from benchmarks.worker import Worker
from tools import redaction_corpus
from tools.redaction_report import BUILD
from tools.redaction_score import score

ACCURACY = "On 2,000 labelled records, one thread"
COST = "What a call costs"
END_TO_END = "Log call to acknowledgement, null receiver, 1 thread"
FIVE = SCENARIOS[0]
EMPTY = "empty function, **attributes"
# How fapilog is set up: its environment. The goals are about the profiles, whose package is in the
# tree (plugins/compliance).
PROFILES = "fapilog, pci-dss + hipaa"
POLICIES = {
    "fapilog, keys (the default)": {"FAPILOG_REDACTION": "keys"},
    "fapilog, scan": {"FAPILOG_REDACTION": "scan"},
    PROFILES: {"FAPILOG_COMPLIANCE": "pci-dss,hipaa"},
}
CALL_GOAL = Goal(at_most=6.0, of="ratio")
NATIVE_GOAL = Goal(at_most=700.0)
SPEED_GOAL = Goal(at_least=1_200_000)
RECALL, RATE = "recall of all", "records per second"


def run(options: Options) -> list[Row]:
    """Return the rows of accuracy, cost and speed."""
    rows = accuracy(options) + native_cost() + call_cost(options) + delivered(options)
    return rows + redaction_requests.run(options)


def accuracy(options: Options) -> list[Row]:
    """Score each library on the corpus; the fast ones go over it several times."""
    records = redaction_corpus.read()[: options.pick(2_000, 200)]
    rows: list[Row] = []
    for name in (OURS, *PEERS):
        found = ask(name, len(records), options.pick(1 if name == "presidio-analyzer" else 5, 1))
        if "missing" in found:
            rows += missing([name], RECALL, "%", found["missing"], group=ACCURACY)
            continue
        result = score(records, found["findings"])
        rows.append(share_row(name, RECALL, result.recall()))
        rows += [share_row(name, one.name, one.measured, one) for one in redaction_corpus.goals(result)]
        rate = len(records) / found["seconds"]
        rows.append(Row(name, RATE, rate, "/s", better="higher", group=ACCURACY))
    return rows


def share_row(name: str, label: str, share: float, bound: redaction_corpus.Goal | None = None) -> Row:
    """Return one share in percent; only fapilog has goals."""
    high = bound is None or bound.at_least
    goal = None
    if bound is not None and name == OURS:
        goal = Goal(at_least=bound.bound * 100) if high else Goal(at_most=bound.bound * 100)
    return Row(name, label, share * 100, "%", goal=goal, better="higher" if high else "lower", group=ACCURACY)


def native_cost() -> list[Row]:
    """Time the scan of a record without Python: the best of many rounds, a hundred records at a time."""
    title = "scan of a record in Rust"
    if shutil.which("cargo") is None:
        return missing(["fapilog"], title, "ns", "skipped: no cargo", NATIVE_GOAL, COST)
    lines = "\n".join(json.dumps(record) for record in redaction_corpus.read())
    done = subprocess.run(
        [*BUILD.split(), "--time"], input=lines, cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = re.match(r"(\d+) ns per record", done.stdout)
    if found is None:
        raise ValueError(f"scan_corpus --time printed {done.stdout!r}, not nanoseconds per record")
    return [Row("fapilog", title, float(found[1]), "ns", goal=NATIVE_GOAL, group=COST)]


def call_cost(options: Options) -> list[Row]:
    """Call with five attributes, policies in turns, beside the empty function in the same processes."""
    title = f"call, {FIVE.title}"
    samples: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        endpoint = stack.enter_context(null_receiver()).endpoint
        try:
            workers = {
                name: stack.enter_context(Worker("fapilog", **policy)) for name, policy in POLICIES.items()
            }
        except NotInstalledError as error:
            return missing(POLICIES, title, "ns", str(error), CALL_GOAL, COST)
        for worker in workers.values():
            worker.ask("prepare", endpoint=endpoint, hold=True)
        for _ in range(options.pick(7, 2, 4)):
            for name, worker in workers.items():
                found = worker.ask("cost", scenario=FIVE.name, n=20_000, repeats=options.pick(5, 3))
                samples.setdefault(name, []).append(found)
    empty = best(one["empty_ns"] for found in samples.values() for one in found)
    rows = [Row(EMPTY, title, empty, "ns", 1.0, group=COST)]
    for name, found in samples.items():
        ours = best(one["ns"] for one in found)
        rows.append(
            Row(
                name,
                title,
                ours,
                "ns",
                ours / empty,
                goal=CALL_GOAL if name == PROFILES else None,
                group=COST,
            )
        )
    return rows


def delivered(options: Options) -> list[Row]:
    """Send as fast as possible under each policy; nothing may be lost."""
    title = "records delivered"
    rates: dict[str, list[float]] = {}
    for _ in range(options.pick(3, 1, 2)):
        for name, policy in POLICIES.items():
            with null_receiver() as receiver:
                try:
                    found = send(
                        "fapilog", receiver.endpoint, n=count("fapilog", options), environment=policy
                    )
                except NotInstalledError as error:
                    return missing(POLICIES, title, "/s", str(error), SPEED_GOAL, END_TO_END)
            rates.setdefault(name, []).append(found["offered"] / found["total_seconds"])
    default = max(rates[next(iter(POLICIES))])
    return [
        Row(
            name,
            title,
            max(found),
            "/s",
            max(found) / default,
            goal=SPEED_GOAL if name == PROFILES else None,
            note=f"in brackets: {TIMES} the default policy" if name == PROFILES else "",
            better="higher",
            group=END_TO_END,
        )
        for name, found in rates.items()
    ]


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
