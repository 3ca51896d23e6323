"""Scan a labelled corpus with the native scanner and print how good and how fast that is.

    redaction_report.py CORPUS [--time] [--leaks N] [--scanner PROGRAM]

`--leaks` prints examples of what was missed and what was hidden for nothing: for the corpus to tune on, never
for the one that is held out. `--time` prints the cost of a record, the scan alone.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from redaction_score import Score, score

ROOT = Path(__file__).resolve().parents[1]
BUILD = (
    "cargo run -q --release --manifest-path native/Cargo.toml "
    "--no-default-features --features zstd --example scan_corpus --"
)


def main() -> None:
    """Run the scanner and write the report to standard output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--leaks", type=int, default=0)
    parser.add_argument("--scanner", help="a scan_corpus that is built already")
    given = parser.parse_args()
    command = [given.scanner] if given.scanner else BUILD.split()
    corpus = given.corpus.read_bytes()
    out = sys.stdout
    if given.time:
        out.write(run([*command, "--time"], corpus))
        return
    records = [json.loads(line) for line in corpus.splitlines()]
    findings = [json.loads(line) for line in run(command, corpus).splitlines()]
    out.write(report(score(records, findings), given.leaks))


def run(command: list[str], corpus: bytes) -> str:
    """What the scanner prints for the corpus."""
    return subprocess.run(command, input=corpus, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout.decode()


def report(result: Score, examples: int) -> str:
    """The score as text."""
    lines = [
        f"recall {result.recall():.2%}   precision {result.precision():.2%}   "
        f"clean altered {result.clean.ratio():.2%}   over {result.over / result.characters * 1000:.2f}/1000",
        "",
    ]
    for kind, share in sorted(result.kinds.items(), key=lambda item: item[1].ratio()):
        lines.append(f"{kind:20} {share.total:5} {share.ratio():8.1%}   partial {share.partial}")
    lines += ["", "touched for nothing"]
    for kind, share in sorted(result.negatives.items(), key=lambda item: -item[1].hits):
        if share.hits:
            lines.append(f"{kind:20} {share.total:5} {share.ratio():8.1%}")
    lines += ["", *(f"{count:5} {rule}" for rule, count in result.false_findings.most_common(40))]
    if examples:
        lines += ["", "missed", *samples(result.leaks, examples)]
        lines += ["", "for nothing", *samples(result.false_texts, examples)]
    return "\n".join(lines) + "\n"


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
    main()
