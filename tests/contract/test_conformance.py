"""docs/conformance.md: every clause is there once, and its proofs are tests that exist."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from fapilog.otel.logger import OtelLogger

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
# Prefix of the clauses of one chapter, and how many there are.
CHAPTERS = {"R": 7, "A": 2, "P": 10, "G": 12, "W": 5, "K": 11, "C": 11, "E": 8, "O": 41}
VERDICTS = ("yes", "no: ", "differs: ")


class Clause(NamedTuple):
    """One row of a table."""

    name: str
    level: str
    requirement: str
    ours: str
    proof: str
    stock: str


def clauses() -> list[Clause]:
    """Return the rows of all tables whose first cell names a clause."""
    rows = re.findall(r"^\| ([A-Z]+\d+) \|(.*)\|$", PAGE, re.MULTILINE)
    return [Clause(name, *(cell.strip() for cell in rest.split(" | "))) for name, rest in rows]


CLAUSES = clauses()


def test_every_clause_of_the_logs_sdk_is_on_the_page_once_and_in_order():
    expected = [f"{chapter}{number}" for chapter, count in CHAPTERS.items() for number in range(1, count + 1)]
    named = [clause.name for clause in CLAUSES]
    assert named[: len(expected)] == expected
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.name)
def test_a_clause_has_a_verdict_a_proof_that_exists_and_stock_beside_it(clause: Clause):
    assert clause.ours.startswith(VERDICTS)
    assert clause.stock
    if clause.ours.startswith("no: "):
        assert clause.proof == "-"
        return
    for proof in clause.proof.split(", "):
        path, _, name = proof.strip("`").partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(?:async )?(?:def|fn) {name}\(", text, re.MULTILINE), proof


def test_the_page_about_processors_recommends_a_copy():
    page = (ROOT / "docs" / "how-to" / "use_the_otel_api.md").read_text(encoding="utf-8")
    assert "hands the record to another thread | it copies it first" in page


def test_the_docstring_of_enabled_says_that_asking_is_optional_and_that_answers_change():
    said = str(OtelLogger.enabled.__doc__)
    assert "Asking is optional" in said
    assert "the answer may change from call to call" in said
