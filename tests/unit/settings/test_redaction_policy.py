"""What must not be done with values: one test for each clause, and what the error says to do instead."""

import pytest

from fapilog.errors import ConfigurationError
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import Settings
from fapilog.settings.destinations import check_together
from fapilog.settings.redaction_policy import check_policy, refusal
from fapilog.settings.redaction_rules import RedactionRule

ONE_KEY = {"key_provider": lambda: {1: bytes(32)}}


def lines(error: ConfigurationError) -> list[str]:
    return [line.strip() for line in str(error).splitlines()]


@pytest.mark.parametrize("name", ["hash", "sha256", "md5", "SHA-1", "blake2b", "fingerprint", "hash:8"])
def test_a_plain_hash_is_refused_with_the_reason_and_token_in_its_place(name, load):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_REDACTION_ACTIONS": f"EMAIL={name}"})
    assert lines(caught.value) == [
        f"redaction.actions asks for {name.lower().partition(':')[0]} of EMAIL: a hash without a key is"
        " undone by trying all values [hash-without-key]",
        f"redaction.actions = 'EMAIL={name}'   from FAPILOG_REDACTION_ACTIONS",
        "do: set FAPILOG_REDACTION_ACTIONS to EMAIL=token, which joins as well and needs a key",
        "see: docs/reference/errors.md#hash-without-key",
    ]


def test_a_plain_hash_of_a_card_number_names_the_clause(load):
    with pytest.raises(ConfigurationError, match=r"PCI DSS 3\.5\.1\.1 asks for a keyed one"):
        load({"FAPILOG_REDACTION_ACTIONS": "PAN=sha256"})


@pytest.mark.parametrize("kind", ["CVV", "CARD_TRACK", "PIN_BLOCK"])
@pytest.mark.parametrize("written", ["keep", "mask:1", "token", "seal", "truncate:0:4", "generalise", "hash"])
def test_what_only_serves_the_payment_is_removed_and_nothing_else(kind, written, load):
    with pytest.raises(ConfigurationError) as caught:
        load(redaction={"actions": {kind: written}, "seal_to": "A" * 43, **ONE_KEY})
    assert f"lets a part of {kind} through, which PCI DSS 3.3.1 forbids" in lines(caught.value)[0]
    assert refusal(kind, "remove") is None
    assert refusal(kind, "drop") is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mask:5", "shows more of PAN than its last 4 digits (PCI DSS 3.4.1)"),
        ("truncate:7:4", "keeps more of PAN than its first 6 and last 4 digits (PCI DSS 3.5.1)"),
        ("truncate:6:5", "keeps more of PAN than its first 6 and last 4 digits (PCI DSS 3.5.1)"),
    ],
)
def test_no_more_of_a_card_number_is_kept_than_its_ends(written, said, load):
    with pytest.raises(ConfigurationError) as caught:
        load(redaction={"actions": {"PAN": written}})
    assert said in lines(caught.value)[0]
    assert load(redaction={"actions": {"PAN": "truncate:6:4", "IBAN": "mask:8"}})


@pytest.mark.parametrize("coded", ["token", "seal"])
@pytest.mark.parametrize("shorter", ["mask:4", "truncate:6:4"])
def test_a_code_and_a_shortened_form_of_one_card_number_are_refused_wherever_they_meet(coded, shorter):
    with pytest.raises(ConfigurationError) as caught:
        check_policy(
            {
                "redaction": {"PAN": coded},
                "exporter audit": {"EMAIL": "token"},
                "rule cards": {"PAN": shorter},
            }
        )
    assert lines(caught.value)[0] == (
        "PAN is a token or sealed in redaction and shortened in rule cards: together they tell more than each"
        " (note of PCI DSS 3.5.1) [policy-forbidden]"
    )


def test_every_policy_is_looked_at_and_every_problem_named():
    with pytest.raises(ConfigurationError) as caught:
        check_policy({"profile": {"CVV": "seal", "PAN": "sha256"}, "exporter audit": {"PAN": "mask:6"}})
    assert [(problem.code, problem.what.split(" ")[0]) for problem in caught.value.problems] == [
        ("policy-forbidden", "profile"),
        ("hash-without-key", "profile"),
        ("policy-forbidden", "exporter"),
    ]


@pytest.mark.parametrize(
    "policies",
    [
        {},
        {"redaction": {"PAN": "token"}, "exporter audit": {"PAN": "remove"}},
        {"redaction": {"PAN": "token", "EMAIL": "mask:4"}, "exporter audit": {"EMAIL": "token"}},
        {"redaction": {"PAN": "truncate:6:4"}, "exporter audit": {"PAN": "mask:4"}},
        {"redaction": {"CVV": "remove", "CARD_TRACK": "drop"}},
    ],
)
def test_what_may_stand_together_passes(policies):
    check_policy(policies)


def with_rule(load, **rule):
    actions = {"actions": {"PAN": "token"}, **ONE_KEY}
    settings = load(redaction={"mode": "scan", "rules": (RedactionRule(name="cards", **rule),), **actions})
    check_together(settings.redaction_in_force)


@pytest.mark.parametrize(
    "rule",
    [
        {"pattern": r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}", "action": "truncate:6:4"},
        {"pattern": r"\d{13,19}", "action": "mask:4"},
        {"words": ("4111 1111 1111 1111",), "action": "truncate:2:2"},
        {"paths": ("payment.cardNumber",), "action": "truncate:6:4"},
        {"paths": ("order.*", "**.card.number"), "action": "mask:4"},
        {"paths": ("customer.pan",), "action": "mask:4"},
    ],
)
def test_a_rule_that_shortens_cards_is_refused_beside_an_action_that_codes_them(rule, load):
    with pytest.raises(ConfigurationError) as caught:
        with_rule(load, **rule)
    assert lines(caught.value) == [
        "PAN is a token or sealed in redaction and shortened in the rule cards: together they tell more than"
        " each (note of PCI DSS 3.5.1) [policy-forbidden]",
        "do: choose one of the two for all of them, or remove PAN in one",
        "see: docs/reference/errors.md#policy-forbidden",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        {"pattern": r"\d{16}"},
        {"pattern": r"TCK-\d{6}", "action": "mask:2"},
        {"paths": ("order.number", "span", "customer.company"), "action": "mask:4"},
        {"paths": ("card.number",), "action": "generalise"},
    ],
)
def test_a_rule_that_removes_cards_or_is_about_something_else_may_stand_beside_a_code(rule, load):
    with_rule(load, **rule)


def test_a_provider_is_refused_whose_rule_shortens_what_an_action_codes():
    redaction = {"mode": "scan", "actions": {"PAN": "token"}, **ONE_KEY}
    rule = RedactionRule(name="cards", paths=("card_number",), action="truncate:6:4")
    settings = Settings.load(environ={}, exporters=("none",), redaction={**redaction, "rules": (rule,)})
    with pytest.raises(ConfigurationError, match="policy-forbidden"):
        LoggerProvider(settings=settings, shutdown_on_exit=False)
