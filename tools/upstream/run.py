"""Runs OpenTelemetry's own tests for logs against our classes and holds the result against `suites.toml`.

    python -m tools.upstream.run [--write-docs] [--stock] [suite ...]

A test that fails must be listed there with the reason why it cannot apply; a listed one that passes is an
error too, so that the list stays true. `--stock` runs the same files against upstream's classes. Exits 1 on
any difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.upstream import report, sources, suites

_SECONDS = 240


@dataclass
class Result:
    """What became of one suite's tests.

    Attributes:
        suite: The suite.
        release: Version of the distribution whose tests ran.
        passed: Tests that passed, and should.
        excused: Tests that failed and are listed, with the reason.
        skipped: Tests that upstream itself skips here.
        problems: Differences between the outcome and the list.
    """

    suite: suites.Suite
    release: str
    passed: list[str] = field(default_factory=list)
    excused: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run(suite: suites.Suite, *, stock: bool = False) -> Result:
    """Run one suite in a process of its own and compare."""
    home = sources.fetch(suite.distribution)
    outcomes = _pytest(suite, home, stock=stock)
    return _compare(suite, home.name.rpartition("-")[2], outcomes)


def _pytest(suite: suites.Suite, home: Path, *, stock: bool) -> dict[str, str]:
    """Return the outcome of each test: empty when it passed, `skipped`, or the failure's message."""
    xml = sources.CACHE / f"{suite.name}.xml"
    xml.unlink(missing_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "FAPILOG_"))},
        "PYTHONPATH": os.pathsep.join([str(sources.ROOT), str(home)]),
        "UPSTREAM_SUITE": suite.name,
    }
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:fapilog", f"--junitxml={xml}"]
    options += ["--timeout=40", "--import-mode=importlib", "--rootdir", str(home), "-c", os.devnull]
    plugin = [] if stock else ["-p", "tools.upstream.rebind"]
    command = [sys.executable, "-m", "pytest", *options, *plugin, *suite.files]
    done = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    (sources.CACHE / f"{suite.name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if not xml.is_file():
        raise RuntimeError(f"{suite.name}: pytest wrote no report:\n{(done.stdout + done.stderr)[-3000:]}")
    return {_name(case): _outcome(case) for case in ET.parse(xml).getroot().iter("testcase")}


def _name(case: ET.Element) -> str:
    file_or_class = case.get("classname", "").rpartition(".")[2]
    return f"{file_or_class}.{case.get('name')}" if file_or_class[:1].isupper() else str(case.get("name"))


def _outcome(case: ET.Element) -> str:
    for child in case:
        if child.tag == "skipped":
            return "skipped"
        if child.tag in ("failure", "error"):
            return (child.get("message") or child.tag).splitlines()[0]
    return ""


def _compare(suite: suites.Suite, release: str, outcomes: dict[str, str]) -> Result:
    result = Result(suite, release)
    excluded = suite.excluded()
    for test, outcome in outcomes.items():
        if outcome == "skipped":
            result.skipped.append(test)
        elif not outcome and test in excluded:
            result.problems.append(f"{test} passes; take it off the list")
        elif not outcome:
            result.passed.append(test)
        elif test in excluded:
            result.excused[test] = excluded[test]
        else:
            result.problems.append(f"{test} fails: {outcome}")
    gone = [test for test in excluded if test not in outcomes]
    result.problems += [f"{test} is listed, but upstream has no such test" for test in gone]
    return result


def main(arguments: Sequence[str]) -> int:
    """Run the named suites, or all; print a line each and every difference."""
    flags = {argument for argument in arguments if argument.startswith("--")}
    names = [argument for argument in arguments if not argument.startswith("--")]
    chosen = [suite for suite in suites.load() if not names or suite.name in names]
    results = [run(suite, stock="--stock" in flags) for suite in chosen]
    for result in results:
        counts = (
            f"{len(result.passed)} pass, {len(result.excused)} cannot apply, {len(result.skipped)} skipped"
        )
        print(f"{result.suite.name} ({result.suite.distribution} {result.release}): {counts}")
        for problem in result.problems:
            print(f"  {problem}")
    if "--write-docs" in flags:
        report.write(results)
    return 1 if any(result.problems for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
