"""Every stage module says in its first line which stage it is and on which thread it runs."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ["emit", "capture", "redact", "append", "seal", "export", "settle"]
HEAD = re.compile(
    r'^(?://!|""")\s*Stage (?P<number>[1-7]) of 7, (?P<name>[a-z]+): .+ Threads?: (?P<threads>.+)'
)
WIRING = re.compile(r'^""".*\b(?:[Aa]ll seven stages|Stages 1 to 7)\b.* Threads?: .+')


class StageModule(NamedTuple):
    """A module of one stage, and a thread that its first line must name."""

    path: str
    number: int
    thread: str


STAGE_MODULES = [
    StageModule("fapilog/logger.py", 1, "caller"),
    StageModule("fapilog/bridges/stdlib.py", 1, "caller"),
    StageModule("fapilog/context.py", 2, "caller"),
    StageModule("native/src/record/mod.rs", 2, "caller"),
    StageModule("native/src/redact/mod.rs", 3, "caller"),
    StageModule("native/src/redact/truncate.rs", 3, "caller"),
    StageModule("native/src/buffer/mod.rs", 4, "caller"),
    StageModule("native/src/seal/mod.rs", 5, "sealer"),
    StageModule("native/src/backlog/mod.rs", 6, "sender"),
    StageModule("native/src/export/sender.rs", 6, "sender"),
    StageModule("native/src/console/mod.rs", 6, "caller"),
    StageModule("native/src/ledger/mod.rs", 7, "all"),
]


def first_line(path: str) -> str:
    """Return the first line of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8").split("\n", 1)[0]


def table_rows() -> list[tuple[int, str, str]]:
    """Return (number, name, row) of the stage table in docs/architecture.md, in the order written."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^(\|\s*([1-7])\s*\|\s*([a-z]+)\b.*)$", text, flags=re.MULTILINE)
    return [(int(number), name, row) for row, number, name in rows]


@pytest.mark.parametrize("module", STAGE_MODULES, ids=lambda module: module.path)
def test_the_first_line_names_number_name_and_thread(module: StageModule):
    line = first_line(module.path)
    found = HEAD.match(line)
    assert found, f"{module.path} starts with: {line}"
    assert (int(found["number"]), found["name"]) == (module.number, NAMES[module.number - 1])
    assert module.thread in found["threads"]


def test_the_pipeline_says_that_it_wires_all_seven_stages():
    assert WIRING.match(first_line("fapilog/pipeline.py"))


def test_the_table_lists_the_seven_stages_in_order():
    assert [(number, name) for number, name, _ in table_rows()] == list(enumerate(NAMES, 1))


@pytest.mark.parametrize("module", STAGE_MODULES, ids=lambda module: module.path)
def test_the_row_of_a_stage_lists_its_modules(module: StageModule):
    row = table_rows()[module.number - 1][2]
    short = module.path.removeprefix("fapilog/").removeprefix("native/src/")
    assert f"{short}`" in row
