"""`redaction.destinations`: what a destination may say, and what it may not."""

from pathlib import Path
from typing import Any

import pytest

from fapilog.errors import ConfigurationError, Problem
from fapilog.settings import RedactionSettings, Settings
from fapilog.settings.destinations import check_together, policy_for
from tests.unit.compliance.profiles import profile


def load(**settings: Any) -> Settings:
    return Settings.load(environ={}, **settings)


def problems(**settings: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load(**settings)
    return raised.value.problems


def test_a_destination_has_what_is_common_and_what_it_says_itself() -> None:
    common = load(
        redaction={
            "mode": "scan",
            "secret_keys": ["a"],
            "actions": {"EMAIL": "keep", "PAN": "mask:4"},
            "destinations": {
                "siem": {"secret_keys": ["b", "a"], "actions": {"EMAIL": "mask:4", "PAN": "remove"}}
            },
        }
    ).redaction
    policy = policy_for(common, "siem")
    assert policy == RedactionSettings(
        mode="scan", secret_keys=("a", "b"), actions={"EMAIL": "mask:4", "PAN": "remove"}
    )
    assert policy_for(common, "otlp") is None


def test_the_mode_alone_may_be_a_word_in_code_and_in_the_variable(tmp_path: Path) -> None:
    in_code = load(redaction={"destinations": {"otlp": "scan"}})
    by_variable = Settings.load(environ={"FAPILOG_REDACTION_DESTINATIONS": "otlp=scan"})
    path = tmp_path / "settings.yaml"
    path.write_text("redaction:\n  destinations:\n    otlp: {mode: scan}\n")
    in_file = Settings.load(path, environ={})
    assert in_code.redaction == by_variable.redaction == in_file.redaction
    policy = policy_for(in_code.redaction, "otlp")
    assert policy is not None
    assert policy.mode == "scan"
    assert by_variable.origin("redaction.destinations") == "FAPILOG_REDACTION_DESTINATIONS"
    assert in_code.with_changes(level="debug").redaction == in_code.redaction


@pytest.mark.parametrize("action", ["keep", "mask:4", "truncate:6:4"])
def test_what_the_common_policy_removes_no_destination_can_have(action: str) -> None:
    [problem] = problems(redaction={"mode": "scan", "destinations": {"siem": {"actions": {"PAN": action}}}})
    assert problem.code == "destination-keeps"
    assert f"the destination siem has the action {action} for PAN" in problem.what
    assert "redaction.actions (FAPILOG_REDACTION_ACTIONS) to PAN=keep" in problem.remedy


def test_a_destination_may_repeat_the_common_action() -> None:
    actions = {"PAN": "mask:4", "EMAIL": "keep"}
    load(redaction={"mode": "scan", "actions": actions, "destinations": {"siem": {"actions": actions}}})


def test_under_the_mode_keys_a_destination_may_choose_any_action() -> None:
    own = {"mode": "scan", "actions": {"PAN": "truncate:6:4", "EMAIL": "keep"}}
    common = load(redaction={"destinations": {"siem": own}}).redaction
    policy = policy_for(common, "siem")
    assert policy is not None
    assert dict(policy.actions) == own["actions"]


def test_a_destination_cannot_scan_less() -> None:
    [problem] = problems(redaction={"mode": "scan", "destinations": {"siem": "keys"}})
    assert problem.code == "destination-keeps"
    assert "the destination siem has mode keys under the common mode scan" in problem.what


def test_paths_of_home_directories_are_handled_only_where_they_are_named() -> None:
    load(redaction={"mode": "scan", "destinations": {"siem": {"actions": {"USER_PATH": "mask:4"}}}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"siem": {"mode": "all"}},
        {"siem": {"action": {}}},
        {"siem": {"actions": {"NOTHING": "remove"}}},
        {"siem": {"actions": {"CVV": "mask:4"}}},
        {"siem": 7},
    ],
)
def test_what_is_no_policy_is_refused(wrong: Any) -> None:
    [problem] = problems(redaction={"destinations": wrong})
    assert problem.settings[0].name.startswith("redaction.destinations")


def test_under_a_profile_that_scans_no_destination_may_do_less() -> None:
    house = profile("house", actions={"PAN": {"do": "truncate:0:4", "weakest": "token", "clause": "1"}})
    for own, what in (("keys", "mode keys"), ({"actions": {"PAN": "mask:4"}}, "mask:4 for PAN")):
        [problem] = problems(compliance=[house], redaction={"destinations": {"siem": own}})
        assert problem.code == "destination-keeps"
        assert what in problem.what
    in_force = load(compliance=[house], redaction={"destinations": {"siem": {}}}).redaction_in_force
    policy = policy_for(in_force, "siem")
    assert policy is not None
    assert (policy.mode, policy.actions["PAN"]) == ("scan", "truncate:0:4")


def test_policies_that_tell_more_together_than_each_are_refused() -> None:
    common = load(
        redaction={
            "key_provider": "env:SOME_KEY",
            "destinations": {
                "joins": {"mode": "scan", "actions": {"PAN": "token"}},
                "shows": {"mode": "scan", "actions": {"PAN": "truncate:0:4"}},
            },
        }
    ).redaction
    with pytest.raises(ConfigurationError, match="exporter joins and shortened in exporter shows") as raised:
        check_together(common)
    assert raised.value.problems[0].code == "policy-forbidden"


def test_an_action_of_a_destination_needs_its_key() -> None:
    [problem] = problems(
        redaction={"destinations": {"siem": {"mode": "scan", "actions": {"EMAIL": "token"}}}}
    )
    assert problem.code == "token-without-key"


def test_rules_and_minimising_of_a_destination_come_before_the_common_ones() -> None:
    rule = {"paths": ["a"], "action": "remove"}
    common = load(
        redaction={
            "rules": [{"name": "common", **rule}],
            "allowed_keys": ["a", "b"],
            "destinations": {
                "siem": {"rules": [{"name": "own", **rule}], "minimise": True, "allowed_keys": ["a"]},
                "file": {},
            },
        }
    ).redaction
    siem, file = policy_for(common, "siem"), policy_for(common, "file")
    assert siem is not None
    assert file is not None
    assert ([rule.name for rule in siem.rules], siem.minimise, siem.allowed_keys) == (
        ["own", "common"],
        True,
        ("a",),
    )
    assert (file.rules, file.minimise, file.allowed_keys) == (common.rules, False, ("a", "b"))
