"""What a profile may say, and what is refused with the place of the mistake."""

import doctest
import importlib

import pytest

from fapilog.compliance import ProfileError, read
from fapilog.compliance.loader import find
from tests.unit.compliance.profiles import content, profile, written


@pytest.mark.parametrize("name", ["strictness", "profile", "combined"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.compliance.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_an_action_is_a_word_or_a_table_and_a_type_counts_more_than_its_group():
    made = profile(
        actions={
            "PAN": {"do": "truncate:0:4", "weakest": "token", "clause": "1"},
            "group:payment": {"do": "remove", "clause": "2"},
        }
    )
    assert {kind: (each.do, each.bound, each.clause) for kind, each in made.actions().items()} == {
        "CARD_TRACK": ("remove", "remove", "2"),
        "CVV": ("remove", "remove", "2"),
        "PIN_BLOCK": ("remove", "remove", "2"),
        "PAN": ("truncate:0:4", "token", "1"),
    }


@pytest.mark.parametrize(
    ("parts", "place", "what"),
    [
        ({"actions": {"PANN": {"do": "remove", "clause": "1"}}}, "actions.0.target", "'PANN' is neither"),
        ({"actions": {"group:cards": {"do": "remove", "clause": "1"}}}, "actions.0.target", "group:payment"),
        ({"actions": {"PAN": {"do": "shred", "clause": "1"}}}, "actions.0.do", "'shred' is no action"),
        ({"actions": {"PAN": "remove"}}, "actions.0.clause", "Field required"),
        (
            {"actions": {"PAN": {"do": "keep", "weakest": "remove", "clause": "1"}}},
            "actions.0",
            "lets more through",
        ),
        ({"actions": {"PAN": {"do": "remove", "clause": "9"}}}, "the file", "does not have: 9"),
        ({"retention": {"min_days": 9}}, "retention", "min_days and min_clause belong together"),
        (
            {"retention": {"min_days": 9, "min_clause": "1", "max_days": 8, "max_clause": "2"}},
            "retention",
            "min_days is more than max_days",
        ),
        ({"categories": {"sales": {"clause": "1"}}}, "categories.0.category", "'audit', 'error'"),
        ({"colour": "red"}, "colour", "Extra inputs are not permitted"),
        ({"minimise": True}, "the file", "minimise needs minimise_clause"),
        ({"schema": 2}, "schema", "Input should be 1"),
        ({"clauses": []}, "clauses", "at least 1 item"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_with_its_place(parts, place, what):
    from fapilog.compliance.loader import _parsed

    with pytest.raises(ProfileError) as caught:
        _parsed(content(**parts), "house.toml")
    assert caught.value.code == "profile-invalid"
    assert caught.value.what.startswith(f"the profile house.toml is not valid: {place}: ")
    assert what in caught.value.what


def test_a_file_is_read(tmp_path):
    path = written(tmp_path, "[actions]\nPAN = { do = 'remove', clause = '1' }")
    assert read(path) == find(str(path)) == find(path)
    assert read(path).actions()["PAN"].do == "remove"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "cannot be read: No such file or directory"),
        ("name = ", "is not TOML: "),
        ("\udcff", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, text, what):
    path = tmp_path / "house.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ProfileError) as caught:
        read(path)
    assert (caught.value.code, what in caught.value.what) == ("profile-invalid", True)


def test_a_file_that_extends_itself_is_an_error(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(f"extends = {str(own)!r}\n")
    with pytest.raises(ProfileError, match="extends itself"):
        read(own)


def test_a_file_takes_what_it_does_not_say_from_the_profile_that_it_extends(tmp_path):
    base = written(
        tmp_path,
        "[retention]\nmin_days = 400\nmin_clause = '1'\n"
        "[actions]\nPAN = { do = 'remove', clause = '1' }\nIBAN = { do = 'mask:4', clause = '1' }\n"
        "[categories.security]\nrequired = ['user.id']\nclause = '1'\n",
    )
    own = tmp_path / "own.toml"
    own.write_text(
        f"extends = {str(base)!r}\nname = 'own'\n[retention]\nmin_days = 30\n"
        "[actions]\nIBAN = { do = 'remove' }\n[categories.security]\nforbidden = ['email']\n"
    )
    made = read(own)
    assert (made.name, made.title, made.retention.min_days) == ("own", "House", 30)
    assert {kind: each.do for kind, each in made.actions().items()} == {"PAN": "remove", "IBAN": "remove"}
    assert [(each.required, each.forbidden) for each in made.categories] == [(("user.id",), ("email",))]
