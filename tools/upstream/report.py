"""Writes `docs/upstream_tests.md` from a run: what passes, and what cannot apply and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.upstream import sources

if TYPE_CHECKING:
    from tools.upstream.run import Result

PAGE = sources.ROOT / "docs" / "upstream_tests.md"
_HEAD = """# OpenTelemetry's own tests, run against fapilog

`make test-upstream` downloads the source distributions of the installed OpenTelemetry packages into
`.cache/upstream`, puts our classes in the place of upstream's (`tools/upstream/rebind.py`), and runs the
tests for logs unchanged. A test that fails must stand below with the reason why it cannot apply; one that
stands below and passes is an error too.
This page is written by `python -m tools.upstream.run --write-docs`.
"""


def write(results: Sequence[Result]) -> None:
    """Write the page."""
    PAGE.write_text("\n".join([_HEAD, *_table(results), *_reasons(results)]) + "\n", encoding="utf-8")


def _table(results: Sequence[Result]) -> list[str]:
    rows = [
        f"| {result.suite.name} | `{result.suite.distribution}` {result.release} | {result.suite.stands_in} |"
        f" {len(result.passed)} | {len(result.excused)} |"
        for result in results
    ]
    head = ["| suite | source | what stands in | pass | cannot apply |", "| --- | --- | --- | ---: | ---: |"]
    return [*head, *rows]


def _reasons(results: Sequence[Result]) -> list[str]:
    lines = ["", "## What cannot apply, and why"]
    for result in results:
        if not result.excused:
            continue
        lines += ["", f"### {result.suite.name}", ""]
        for reason in result.suite.reasons:
            tests = [f"`{test}`" for test, why in result.excused.items() if why == reason]
            lines.append(f"- {reason}: {', '.join(tests)}")
    return lines
