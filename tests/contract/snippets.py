"""Python blocks of Markdown pages, and how a test runs one as a reader would."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.contract.warm_python import warm_python

ROOT = Path(__file__).resolve().parents[2]
# A fenced python block; the reason not to run it may stand above, the output it prints below.
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"```python\n(?P<code>.*?)```\n"
    r"(?:\n```text\n(?P<output>.*?)```\n)?",
    re.DOTALL,
)
_TIME = re.compile(r"^\d\d:\d\d:\d\d\.\d{3}Z", re.MULTILINE)
# The beginning of the trace id.
_TRACE = re.compile(r"  [0-9a-f]{8}$", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """One block: its code, the output promised below it, the reason not to run it."""

    page: str
    number: int
    code: str
    output: str | None
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def snippets(page: str) -> list[Snippet]:
    """Return the Python blocks of a page of the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Snippet(page, number, found["code"], found["output"], found["reason"])
        for number, found in enumerate(_BLOCK.finditer(text), 1)
    ]


def run_python(arguments: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments in a folder; output and errors in one text, as a terminal shows them."""
    # To measure its coverage as well would take a third more time, and finds no line that no test runs.
    inherited = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}
    environment = inherited | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **variables}
    return warm_python().run(arguments, folder, environment, timeout_seconds=60)


def without_times(text: str) -> str:
    """Replace the time at the start of every console line, and leave out the trace at the end of some."""
    return _TRACE.sub("", _TIME.sub("TIME", text))
