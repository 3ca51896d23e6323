"""Rules of redaction as settings: what they become, and what is refused with which words."""

import pytest

from fapilog import ConfigurationError, Settings
from fapilog.redaction import Finding, scan
from fapilog.redaction.native import native_policy
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.redaction_rules import BUILT_IN_KEYS, RedactionRule


def said(**rule):
    with pytest.raises(ConfigurationError) as caught:
        settings_of({"name": "r", **rule})
    return str(caught.value)


def settings_of(*rules):
    return Settings(redaction={"rules": list(rules)}).redaction


def test_a_rule_is_about_paths_a_pattern_or_words(tmp_path):
    listed = tmp_path / "words.txt"
    listed.write_text("# names of projects\nApollo\n\n new york \n", "utf-8")
    redaction = settings_of(
        {"name": "a", "paths": ["x.*"], "action": "mask:4"},
        {"name": "b", "pattern": r"T\d+", "action": "Truncate:2:2"},
        {"name": "c", "words": ["apollo"], "case_sensitive": True, "action": "drop"},
        {"name": "d", "words_file": str(listed)},
        {"name": "e", "paths": ["csrf_token"], "action": "keep", "even_secrets": True},
    )
    assert redaction.native_rules() == {
        "rules": [
            ("a", "paths", ["x.*"], "mask", [4]),
            ("b", "pattern", [r"T\d+"], "truncate", [2, 2]),
            ("c", "WORDS", ["apollo"], "drop", []),
            ("d", "words", ["Apollo", "new york"], "remove", []),
            ("e", "paths", ["csrf_token", "**.csrf_token"], "keep", []),
        ],
        "minimise": None,
        "exempt": ["csrf_token"],
    }
    assert [rule.compact() for rule in redaction.rules][-2:] == [
        f"d: words_file {listed} -> remove",
        "e: paths csrf_token -> keep even_secrets",
    ]


def test_rules_may_be_a_mapping_by_name(load):
    redaction = load(redaction={"rules": {"ticket": {"pattern": "T-1"}}}).redaction
    assert redaction.rules == (RedactionRule(name="ticket", pattern="T-1"),)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"name": "Big", "words": ["x"]}, "holds a rule with a name that no marker can carry: 'Big'"),
        ({}, "holds a rule that does not say what it is about: r"),
        ({"words": ["x"], "pattern": "x"}, "holds a rule that says pattern and words: r"),
        ({"pattern": "a(b"}, "r has a pattern that cannot be read: unclosed group, at character 2"),
        ({"pattern": r"(?=a)b"}, "look-around, including look-ahead and look-behind, is not supported"),
        ({"pattern": "a*"}, "r has a pattern that matches an empty text"),
        ({"pattern": "REDACTED"}, "r matches [REDACTED:r], which is what rules write"),
        ({"paths": ["a..b"]}, "r has a path that holds an empty name: a..b"),
        ({"paths": ["a**"]}, "r has a path that holds ** inside of a name: a**"),
        ({"words": ["x"], "action": "hash"}, "holds a rule with an action that does not exist: 'hash'"),
        ({"words": ["x"], "action": "mask:9"}, "holds a rule with an action that does not exist: 'mask:9'"),
        (
            {"words": ["x"], "action": "keep", "even_secrets": True},
            "even_secrets that is not for whole names",
        ),
        (
            {"paths": ["*token"], "action": "keep", "even_secrets": True},
            "even_secrets that is not for whole names",
        ),
        (
            {"paths": ["card_cvv"], "action": "keep", "even_secrets": True},
            "which PCI DSS 3.3.1 forbids to store",
        ),
        ({"words_file": "/no/such/file"}, "holds a rule whose file cannot be read: r, /no/such/file"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_value_origin_and_remedy(rule, what):
    message = said(**rule)
    assert what in message
    assert "redaction.rules = " in message
    assert "from argument" in message
    assert "do: set redaction.rules to " in message


def test_rules_have_names_of_their_own_and_do_not_find_what_others_write():
    with pytest.raises(ConfigurationError, match="holds two rules with one name: a"):
        settings_of({"name": "a", "words": ["x"]}, {"name": "a", "words": ["y"]})
    with pytest.raises(ConfigurationError, match=r"b matches \[REDACTED:apollo\]"):
        settings_of({"name": "apollo", "words": ["x"]}, {"name": "b", "words": ["apollo"]})


def test_minimising_allows_the_built_in_keys_and_yours(load):
    redaction = load({"FAPILOG_MINIMISE": "true", "FAPILOG_ALLOWED_KEYS": "order.*,user.id"}).redaction
    assert redaction.native_rules()["minimise"] == [*BUILT_IN_KEYS, "order.*", "user.id"]
    assert native_policy(RedactionSettings())["minimise"] is None
    with pytest.raises(ConfigurationError, match=r"holds a name that holds an empty name: 'a\.\.b'"):
        load({"FAPILOG_ALLOWED_KEYS": "a..b"})


def test_a_type_may_cost_the_record(load):
    redaction = load(
        {"FAPILOG_REDACTION": "scan", "FAPILOG_REDACTION_ACTIONS": "PAN=drop,CVV=drop"}
    ).redaction
    assert (redaction.native() or {})["actions"] == [("PAN", "drop", ()), ("CVV", "drop", ())]


def test_scan_tells_rules_too_in_both_modes():
    rules = (
        RedactionRule(name="ticket", pattern=r"TCK-\d+"),
        RedactionRule(name="ours", paths=("customer.*.id", "body.user")),
    )
    attributes = {"customer": [{"id": 77}], "n": "4111 1111 1111 1111 of TCK-1"}
    found = scan("é TCK-12", attributes, settings=RedactionSettings(rules=rules))
    ticket = Finding("attributes.n", 23, 28, "ticket", "ticket")
    first = [
        Finding("text", 2, 8, "ticket", "ticket"),
        Finding("attributes.customer.0.id", 0, 2, "ours", "ours"),
    ]
    assert found == [*first, ticket]
    card = Finding("attributes.n", 0, 19, "PAN", "pan.luhn")
    assert scan("é TCK-12", attributes, settings=RedactionSettings(mode="scan", rules=rules)) == [
        *first,
        card,
        ticket,
    ]
