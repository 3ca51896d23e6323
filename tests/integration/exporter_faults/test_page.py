"""The page of guarantees says what the table says, and every claim on it has its test."""

import re
from pathlib import Path

import pytest

from tests.integration.exporter_faults.table import FAULTS, TABLE, Absent

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "guarantees.md").read_text(encoding="utf-8")


def rows() -> list[str]:
    """The matrix as the page has it."""
    found = [f"| fault | {' | '.join(f'`{name}`' for name in TABLE)} |", f"|{'---|' * (len(TABLE) + 1)}"]
    for fault, words in FAULTS.items():
        cells = (row[fault] for row in TABLE.values())
        shown = (f"- ({cell.why})" if isinstance(cell, Absent) else cell.value for cell in cells)
        found.append(f"| {words} | {' | '.join(shown)} |")
    return found


def test_the_matrix_of_the_page_is_that_of_the_tests() -> None:
    assert "\n".join(rows()) in PAGE


def test_the_test_of_the_hole_exists() -> None:
    name = "test_what_a_syslog_server_acknowledged_and_never_read_is_lost_and_nobody_is_told"
    here = Path(__file__).with_name("test_exporter_faults.py").read_text(encoding="utf-8")
    assert f"`{name}`" in PAGE
    assert f"def {name}(" in here


@pytest.mark.parametrize("page", ["guarantees.md", "delivery_guarantees.md"])
def test_every_test_that_a_page_of_guarantees_names_exists(page: str) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8").partition("## The tests\n")[2]
    named = re.findall(r"`([\w/]+\.(?:py|rs))(?:::(\w+))?`", text)
    assert len(named) > 5
    missing = []
    for file, name in named:
        path = ROOT / file
        code = path.read_text(encoding="utf-8") if path.exists() else ""
        if not code or (name and not re.search(rf"(?:def|fn) {name}\b", code)):
            missing.append(f"{file}::{name}")
    assert missing == []
