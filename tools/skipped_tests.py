"""Print one line per reason for which pytest skipped tests, from its JUnit report."""

import html
import re
import sys
from collections import Counter
from pathlib import Path


def reasons(report: str) -> Counter[str]:
    """Count the skip reasons of a JUnit report.

    The report is our own pytest's, so a pattern is enough and no XML parser has to be trusted.
    """
    found = re.findall(r'<skipped type="pytest\.skip" message="([^"]*)"', report)
    return Counter(html.unescape(reason) for reason in found)


def main() -> None:
    """Read the report named on the command line; a missing one is said, not ignored."""
    path = Path(sys.argv[1])
    if not path.exists():
        sys.stdout.write("pytest: no report was written\n")
        return
    for reason, count in sorted(reasons(path.read_text(encoding="utf-8")).items()):
        sys.stdout.write(f"pytest: {count} test{'s' if count > 1 else ''} skipped: {reason}\n")


if __name__ == "__main__":
    main()
