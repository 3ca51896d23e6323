"""Score the scanner on a labelled corpus: recall by type and group, precision, needless findings, cost.

    python -m tools.redaction_report [CORPUS] [--time] [--leaks N] [--scanner PROGRAM]

The corpus is the one of the tests unless another is named. `--leaks` prints examples of what was missed and
what was hidden for nothing: for a corpus to tune on, never for one that is held out. `--time` also builds the
scanner without Python and prints what a record costs there; `--scanner` names one that is built. Exit
status 1: a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tools import redaction_corpus
from tools.redaction_score import Record, Score, Share

ROOT = Path(__file__).resolve().parents[1]
BUILD = (
    "cargo run -q --release --manifest-path native/Cargo.toml --locked "
    "--no-default-features --features zstd --example scan_corpus --"
)


def main() -> int:
    """Write the report to standard output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, nargs="?", default=redaction_corpus.CORPUS)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--leaks", type=int, default=0)
    parser.add_argument("--scanner", help="a scan_corpus that is built already")
    given = parser.parse_args()
    records = redaction_corpus.read(given.corpus)
    found = redaction_corpus.judged(records)
    out = sys.stdout
    out.write(report(found, given.leaks))
    out.write(
        f"\n{1e6 * redaction_corpus.seconds(records):.2f} µs per record through fapilog.redaction.scan\n"
    )
    if given.time or given.scanner:
        out.write(native_time(records, given.scanner))
    return 0 if all(goal.met for goal in redaction_corpus.goals(found)) else 1


def native_time(records: list[Record], scanner: str | None) -> str:
    """What the scanner without Python says of its cost."""
    command = [scanner] if scanner else BUILD.split()
    lines = "\n".join(json.dumps(record) for record in records).encode()
    done = subprocess.run([*command, "--time"], input=lines, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return f"{done.stdout.decode().strip()}, the scan in Rust alone\n"


def report(result: Score, examples: int) -> str:
    """The score as text."""
    lines = [
        *(str(goal) for goal in redaction_corpus.goals(result)),
        f"recall of all: {result.recall():.2%}; characters hidden for nothing: "
        f"{result.over / result.characters * 1000:.2f} of 1,000",
        "",
        "recall by group",
        *(row(name, share) for name, share in redaction_corpus.groups(result.kinds).items()),
        "",
        "recall by type (tier A: shape or prefix; B: checksum and a word; C: a word)",
    ]
    for kind, share in sorted(result.kinds.items(), key=lambda item: (item[1].ratio(), item[0])):
        lines.append(row(f"{redaction_corpus.tier(kind)} {kind}", share))
    lines += ["", "touched for nothing"]
    for kind, share in sorted(result.negatives.items(), key=lambda item: -item[1].hits):
        if share.hits:
            lines.append(f"{kind:22} {share.total:5} {share.ratio():8.1%}")
    lines += ["", *(f"{count:5} {rule}" for rule, count in result.false_findings.most_common(40))]
    if examples:
        lines += ["", "missed", *samples(result.leaks, examples)]
        lines += ["", "for nothing", *samples(result.false_texts, examples)]
    return "\n".join(lines) + "\n"


def row(name: str, share: Share) -> str:
    """One line of a table of recalls."""
    partial = f"   {share.partial} in part" if share.partial else ""
    return f"{name:22} {share.total:5} {share.ratio():8.1%}{partial}"


def samples(found: list[tuple[str, str, str]], count: int) -> list[str]:
    """The first few of each kind."""
    seen: dict[str, int] = {}
    lines = []
    for kind, path, text in sorted(found):
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= count:
            lines.append(f"{kind} {path} | {text!r}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
