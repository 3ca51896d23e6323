"""The goals of the scanner on the labelled corpus; `make redaction-report` prints the whole score."""

from fapilog import _native
from tools import redaction_corpus
from tools.redaction_report import report
from tools.redaction_score import Share


def test_the_goals_are_met_on_the_corpus():
    found = redaction_corpus.judged(redaction_corpus.read())
    assert [str(goal) for goal in redaction_corpus.goals(found) if not goal.met] == []
    assert min(share.ratio() for share in redaction_corpus.groups(found.kinds).values()) >= 0.9
    assert "goal at least 98%" in report(found, examples=0)


def test_every_type_of_the_corpus_is_one_that_the_scanner_knows():
    known = {kind[0] for kind in _native.scan_kinds()}
    used = {span["type"] for record in redaction_corpus.read() for span in record["spans"]}
    assert used - known == set()
    assert len(used) > 70


def test_a_goal_that_is_missed_says_so():
    goal = redaction_corpus.Goal("precision", 0.5, 0.97, True)
    assert (goal.met, str(goal)) == (False, "precision: 50.00%, goal at least 97%, MISSED")
    assert redaction_corpus.total({"PAN": Share(2, 1), "CVV": Share(4, 4, 0)}, ["PAN", "CVV"]) == Share(6, 5)
