"""The pure parts of the benchmark of redaction: what peers are asked, how shares become rows."""

from benchmarks.measure import Goal
from benchmarks.redaction import share_row
from benchmarks.redaction_peers import fapilog_all, peer_all, texts
from tools.redaction_corpus import Goal as Bound

RECORD = {"text": "card 4111", "attributes": {"order": 42, "note": "x"}}


def test_a_peer_is_asked_for_every_text_with_its_key_and_numbers_as_texts():
    assert texts(RECORD) == [
        ("text", "card 4111", ""),
        ("attributes.order", "42", "order"),
        ("attributes.note", "x", "note"),
    ]
    asked = []

    def find(text: str, key: str) -> list[tuple[int, int]]:
        asked.append((text, key))
        return [(0, 1)] if key == "note" else []

    assert peer_all(find, [RECORD])() == [[["attributes.note", 0, 1, "", ""]]]
    assert asked == [("card 4111", ""), ("42", "order"), ("x", "note")]


def test_ours_is_asked_once_for_a_record():
    [found] = fapilog_all([{"text": "mail a@example.org", "attributes": {"n": 1}}])()
    assert found == [["text", 5, 18, "EMAIL", "email"]]


def test_only_fapilog_has_goals_in_percent_and_clean_records_are_better_when_fewer():
    bound = Bound("clean records altered", 0.002, 0.01, at_least=False)
    ours, theirs = (share_row(name, bound.name, 0.002, bound) for name in ("fapilog", "scrubadub"))
    assert (ours.value, ours.better, ours.goal, ours.goal.met(ours)) == (
        0.2,
        "lower",
        Goal(at_most=1.0),
        True,
    )
    assert (theirs.goal, share_row("fapilog", "recall of all", 0.9).better) == (None, "higher")
