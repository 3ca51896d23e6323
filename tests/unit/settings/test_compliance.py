"""The setting `compliance`: what profiles make of the settings, and what they refuse."""

import pickle
from types import SimpleNamespace

import pytest

from fapilog.compliance import loader
from fapilog.errors import ConfigurationError
from fapilog.settings import Settings
from fapilog.settings.compliance import exempted
from fapilog.settings.without_effect import without_effect
from tests.unit.compliance.profiles import profile, written

PAN = {"PAN": {"do": "truncate:0:4", "weakest": "token", "clause": "1"}}


@pytest.fixture
def house():
    return profile(
        "house", actions=PAN | {"group:network": {"do": "remove", "clause": "2"}}, secret_keys=["badge"]
    )


def test_a_profile_scans_and_the_user_keeps_what_it_says_nothing_about(load, house):
    settings = load(compliance=[house], redaction={"actions": {"EMAIL": "mask:4"}, "secret_keys": ["mine"]})
    in_force = settings.redaction_in_force
    assert (in_force.mode, in_force.secret_keys) == ("scan", ("mine", "badge"))
    assert (in_force.actions["PAN"], in_force.actions["IPV4"], in_force.actions["EMAIL"]) == (
        "truncate:0:4",
        "remove",
        "mask:4",
    )
    assert "USER_PATH" in in_force.native()["kinds"], "a group covers types that are not looked for otherwise"
    assert settings.redaction.mode == "keys", "what the user wrote stays what it is"


def test_without_profiles_the_policy_is_what_the_user_wrote(load):
    settings = load({"FAPILOG_SECRET_KEYS": "mine"})
    assert settings.redaction_in_force is settings.redaction


@pytest.mark.parametrize("action", ["remove", "truncate:6:4", "mask:4"])
def test_what_is_stricter_than_the_bound_of_a_profile_is_the_users_choice(load, house, action):
    settings = load({"FAPILOG_REDACTION_ACTIONS": f"PAN={action}"}, compliance=[house])
    assert settings.redaction_in_force.actions["PAN"] == action


def test_what_lets_more_through_than_a_profile_allows_is_an_error_that_names_the_clause(load, house):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_REDACTION_ACTIONS": "PAN=keep,IPV4=generalise"}, compliance=[house])
    assert [str(each) for each in caught.value.problems[0].lines()] == [
        "PAN=keep lets more through than house 1 allows (token) [profile-weakened]",
        "  redaction.actions = PAN=keep   from FAPILOG_REDACTION_ACTIONS",
        "  do: set PAN in FAPILOG_REDACTION_ACTIONS to token or what lets less through, or leave it out",
    ]
    assert [each.what for each in caught.value.problems[1:]] == [
        "IPV4=generalise lets more through than house 2 allows (remove)"
    ]


def test_an_action_of_a_profile_that_redaction_does_not_have_is_an_error(load):
    wrong = profile("house", actions={"EMAIL": {"do": "generalise", "clause": "1"}})
    with pytest.raises(ConfigurationError) as caught:
        load(compliance=[wrong])
    assert caught.value.code == "profile-invalid"
    assert caught.value.what.startswith("with the profiles house, redaction: actions ")
    assert "generalise" in caught.value.what


def test_a_profile_that_is_not_installed_is_an_error_that_says_how_to_install_it(load, monkeypatch):
    monkeypatch.setattr(loader, "installed", lambda: ("house",))
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_COMPLIANCE": "nowhere"})
    assert str(caught.value) == (
        "compliance cannot be used: the profile nowhere is not installed [profile-unknown]\n"
        "  compliance = 'nowhere'   from FAPILOG_COMPLIANCE\n"
        "  do: set FAPILOG_COMPLIANCE to profiles that can: pip install fapilog-compliance, or correct the"
        " name; installed: house\n"
        "  see: docs/reference/errors.md#profile-unknown"
    )


def test_a_path_in_the_environment_is_a_file_of_the_user(load, tmp_path):
    path = written(tmp_path, "[actions]\nPAN = { do = 'remove', clause = '1' }")
    settings = load({"FAPILOG_COMPLIANCE": str(path)})
    assert (settings.compliance, settings.redaction_in_force.actions["PAN"]) == ((str(path),), "remove")


@pytest.mark.parametrize("value", [[7], "", {"a": 1}])
def test_what_is_no_profile_is_an_error_or_nothing(load, value):
    if value == "":
        assert load(compliance=value).compliance == ()
        return
    with pytest.raises(ConfigurationError, match="setting-invalid"):
        load(compliance=value)


def test_rules_that_keep_values_are_said_where_a_profile_is_in_force(load, house):
    rules = (SimpleNamespace(name="ticket", action="keep"), SimpleNamespace(name="badge", action="remove"))
    ruled = SimpleNamespace(
        redaction=SimpleNamespace(rules=rules), profiles=load(compliance=[house]).profiles
    )
    assert exempted(ruled) == (
        "redaction.rules ticket let values through whatever type they have, although the profiles house are"
        " in force: see that they fit nothing else"
    )
    assert exempted(SimpleNamespace(redaction=ruled.redaction, profiles=load().profiles)) == ""
    assert exempted(load(compliance=[house])) == ""


def test_the_table_of_settings_shows_profiles_as_origin(load, house):
    rows = {
        row.name: (row.value, row.origin)
        for row in load({"FAPILOG_SECRET_KEYS": "mine"}, compliance=[house]).explain()
        if row.name.startswith("redaction.") or row.name == "compliance"
    }
    assert rows["compliance"] == (["house 1"], "argument")
    assert rows["redaction.mode"] == ("scan", "profile house")
    assert rows["redaction.secret_keys"] == (["mine", "badge"], "FAPILOG_SECRET_KEYS and profile house")


def test_settings_with_profiles_are_values(load, house):
    settings = load(compliance=[house])
    assert settings == load(compliance=[house]) != load()
    assert hash(settings) == hash(load(compliance=[house]))
    assert pickle.loads(pickle.dumps(settings)).redaction_in_force == settings.redaction_in_force
    assert settings.with_changes(level="debug").redaction_in_force == settings.redaction_in_force
    assert isinstance(settings, Settings)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"endpoint": "http://c:4318"}, "endpoint"), ({"otlp": {"colour": "red"}}, "otlp.colour")],
)
def test_a_setting_that_does_not_exist_is_named_with_a_profile_too(load, house, wrong, name):
    with pytest.raises(ConfigurationError) as caught:
        load(compliance=[house], **wrong)
    [problem] = caught.value.problems
    assert (problem.code, problem.what) == ("setting-unknown", f"there is no setting {name}")


def test_what_a_profile_fills_in_is_not_said_to_be_without_effect(load):
    keeping = profile("keeping", retention={"max_days": 1, "max_clause": "1"})
    settings = load(compliance=[keeping], redaction={"actions": {"EMAIL": "mask:4"}})
    assert settings.origin("spool.max_age_seconds") == "profile keeping"
    assert list(without_effect(settings)) == []
