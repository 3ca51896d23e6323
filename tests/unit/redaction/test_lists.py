"""A value that is split over the members of a list is found wherever the engine would hide it."""

import pytest

from fapilog.redaction import Finding, Redactor, scan
from fapilog.redaction.explain import Explainer
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.redaction_rules import RedactionRule

CARD = Finding("attributes.x", 0, 19, "PAN", "pan.luhn")


@pytest.mark.parametrize("members", [["4111", "1111", "1111", "1111"], [4111, 1111, 1111, 1111]])
@pytest.mark.parametrize("kind", [list, tuple])
def test_members_that_are_one_value_together_are_one_finding(members, kind):
    assert scan("", {"x": kind(members)}) == [CARD]


@pytest.mark.parametrize(
    "members",
    [
        ["4111", "1111", "1111", "1111"],
        ["4111", "1111", "1111"],
        ["4111", None, True, "1111", "1111", "1111"],
        ["4111", ["1111"], "1111", "1111"],
        ["ann@example.org", "4111", "1111", "1111", "1111"],
        ["x" * 250, "4111", "1111", "1111", "1111"],
        ["4111 1111 1111 1111"],
        ["no", "card"],
        [b"4111 1111 1111 1111"],
    ],
)
def test_the_scan_finds_something_exactly_where_the_engine_hides_something(members):
    hides = "[REDACTED" in repr(Redactor("scan").attributes({"x": members}))
    assert bool(scan("", {"x": members})) is hides
    told = list(Explainer(RedactionSettings(mode="scan")).attributes({"x": members}))
    assert bool(told) is hides
    assert {each.path for each in told} <= {"x"}


def test_explain_tells_a_split_value_once_and_what_stands_there():
    [told] = Explainer(RedactionSettings(mode="scan")).attributes({"x": ["4111", "1111", "1111", "1111"]})
    assert (told.path, told.type, told.action, told.instead) == ("x", "PAN", "remove", "[REDACTED:pan]")
    assert told.why == "a value in the members of a list together"


def test_explain_names_the_action_of_a_rule_and_not_that_of_types():
    rules = (
        RedactionRule(name="ticket", pattern=r"TCK-\d{6}", action="mask:2"),
        RedactionRule(name="person", paths=("people",)),
    )
    explainer = Explainer(RedactionSettings(mode="scan", rules=rules))
    [told] = explainer.text("see TCK-123456")
    assert (told.type, told.action, told.instead) == ("ticket", "mask:2", "[REDACTED:ticket:56]")
    [whole] = explainer.attributes({"people": {"Anna Meyer": {"age": 3}}})
    assert (whole.path, whole.action, whole.instead) == ("people", "remove", "[REDACTED:person]")


def test_explain_shows_no_name_that_is_sensitive_with_the_names_around_it():
    attributes = {"ann@example.org": {"card": "4111 1111 1111 1111"}, "ann@example": {"org": {"pin": "1"}}}
    told = list(Explainer(RedactionSettings(mode="scan")).attributes(attributes))
    assert [each.path for each in told] == ["*", "*.card", "ann@example.*.pin"]
    assert not any("ann@example.org" in f"{each}" for each in told)
