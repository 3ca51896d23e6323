"""Settings of redaction: modes, actions by type, and what a standard forbids."""

import pytest

from fapilog import ConfigurationError
from fapilog.redaction import Redactor
from fapilog.settings.redaction import KINDS, RedactionSettings
from fapilog.settings.without_effect import without_effect


def test_by_default_values_are_not_scanned(load):
    assert (load().redaction.mode, load().redaction.native()) == ("keys", None)


def test_a_word_in_place_of_the_group_is_its_mode(load):
    assert load(redaction="scan").redaction == RedactionSettings(mode="scan")


def test_scan_looks_for_every_type_but_paths_of_home_directories(load):
    native = load({"FAPILOG_REDACTION": "scan"}).redaction.native()
    assert native == {"kinds": [kind for kind in KINDS if kind != "USER_PATH"], "actions": []}


def test_actions_say_what_stands_in_place_of_a_type_and_keep_switches_one_off(load):
    actions = "PAN=truncate:6:4,EMAIL=mask:4,IPV4=keep,DATE_OF_BIRTH=generalise,USER_PATH=remove"
    native = load({"FAPILOG_REDACTION": "scan", "FAPILOG_REDACTION_ACTIONS": actions}).redaction.native()
    assert native == {
        "kinds": [kind for kind in KINDS if kind != "IPV4"],
        "actions": [
            ("PAN", "truncate", (6, 4)),
            ("EMAIL", "mask", (4,)),
            ("DATE_OF_BIRTH", "generalise", ()),
            ("USER_PATH", "remove", ()),
        ],
    }


@pytest.mark.parametrize(
    ("kind", "action", "said"),
    [
        ("CVV", "mask:1", "which PCI DSS 3.3.1 forbids to store in any form"),
        ("CARD_TRACK", "keep", "which PCI DSS 3.3.1 forbids to store in any form"),
        ("PAN", "truncate:8:4", "keeps more of PAN than its first 6 and last 4 digits (PCI DSS 3.5.1)"),
        ("EMAIL", "truncate:6:4", "has an action for EMAIL that does not exist"),
        ("PAN", "generalise", "has an action for PAN that does not exist"),
        ("PAN", "mask:x", "has an action for PAN that does not exist"),
        ("PAN", "mask:0", "has an action for PAN that does not exist"),
        ("SHOE_SIZE", "remove", "names a type that does not exist: SHOE_SIZE"),
    ],
)
def test_what_cannot_or_must_not_be_is_refused(kind, action, said, load):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_REDACTION_ACTIONS": f"{kind}={action}"})
    assert said in str(caught.value)


def test_every_type_has_a_marker_a_group_and_a_tier():
    assert all(word and group and tier in {"A", "B", "C"} for _, word, group, tier in KINDS.values())
    assert RedactionSettings(mode="scan").native() is not None


@pytest.mark.parametrize(
    ("redaction", "said"),
    [
        (
            {"destinations": {"otlp": {"actions": {"PAN": "remove"}}}},
            [
                "redaction.destinations (argument): the actions of otlp have no effect, because values are"
                " looked for only in the mode 'scan': set the mode of otlp to 'scan', or leave them out"
            ],
        ),
        ({"actions": {"PAN": "remove"}, "destinations": {"otlp": "scan"}}, []),
        ({"destinations": {"otlp": {"mode": "scan", "actions": {"PAN": "drop"}}}}, []),
        ({"mode": "scan", "destinations": {"otlp": {"actions": {"PAN": "remove"}}}}, []),
    ],
)
def test_actions_for_types_that_nobody_looks_for_are_said(load, redaction, said):
    assert [sentence for _, sentence in without_effect(load(redaction=redaction))] == said


def test_minimise_is_short_for_the_setting_of_the_group_beside_its_other_settings(load):
    settings = load(minimise=True, redaction="scan")
    assert settings.redaction == RedactionSettings(mode="scan", minimise=True)
    assert settings.origin("redaction.minimise") == "argument"
    assert settings.with_changes(minimise=False).redaction.minimise is False
    assert load(minimise=True, redaction={"minimise": False}).redaction.minimise is False
    assert load({"FAPILOG_MINIMISE": "true"}).redaction.minimise is True


def test_a_wrong_value_of_minimise_names_the_setting_that_it_is_short_for(load):
    with pytest.raises(ConfigurationError, match=r"redaction\.minimise is neither true nor false"):
        load(minimise="yes")


def test_a_settings_file_may_say_minimise_alone(load, tmp_path):
    (tmp_path / "settings.yaml").write_text("minimise: true\nredaction: scan\n")
    settings = load(path=tmp_path / "settings.yaml")
    assert (settings.redaction.mode, settings.redaction.minimise) == ("scan", True)


@pytest.mark.parametrize(
    ("key", "hidden"),
    [
        ("session_id", True),
        ("session.id", False),
        ("db_pass", True),
        ("first_pass", False),
        ("tokens", True),
        ("max_tokens", False),
        ("auth", True),
        ("auth_method", False),
    ],
)
def test_a_word_is_secret_where_it_stands_for_a_secret(key, hidden):
    assert (Redactor().text("x", key) != "x") is hidden


def test_the_session_id_of_opentelemetry_is_secret_when_somebody_says_so():
    assert Redactor(RedactionSettings(secret_keys=("session.id",))).text("x", "session.id") != "x"
