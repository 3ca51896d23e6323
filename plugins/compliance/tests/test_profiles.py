"""The files of the profiles: each is found by its name, whole, and worded honestly."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from fapilog.compliance import Profile, ProfileError, combine, load
from fapilog.compliance.loader import find

HERE = Path(__file__).parents[1]
FILES = sorted((HERE / "fapilog_compliance" / "profiles").glob("*.toml"))
NAMES = [path.stem for path in FILES]
WORDS = [*FILES, HERE / "README.md", HERE / "pyproject.toml", HERE / "fapilog_compliance" / "__init__.py"]
WORDS.append(HERE.parents[1] / "docs" / "how-to" / "compliance_profiles.md")


def test_every_file_is_a_profile_that_is_found_by_its_name():
    points = {point.name for point in entry_points(group="fapilog.profiles") if "compliance" in point.value}
    assert points == set(NAMES)
    assert [find(name).name for name in NAMES] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_whole(name: str):
    profile = find(name)
    assert isinstance(profile, Profile)
    assert profile.summary.startswith("Helps ")
    assert profile.published < profile.updated
    named = {measure.clause for measure in profile.measures}
    assert named, "a profile without actions hides nothing"
    assert [clause.id for clause in profile.clauses if not clause.cannot] == []


@pytest.mark.parametrize("path", WORDS, ids=lambda path: path.name)
def test_nothing_promises_that_a_standard_is_met(path: Path):
    text = path.read_text(encoding="utf-8").lower()
    promises = (
        r"\b(compliant|certified|guarantees? (compliance|conformity)|ensures? compliance|makes? you comply)\b"
    )
    assert re.findall(promises, text) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_action_of_a_profile_is_one_that_redaction_knows(name: str):
    from fapilog.settings import Settings

    assert Settings.load(environ={}, compliance=[name]).redaction_in_force.native() is not None


def test_the_report_of_a_profile_names_its_clauses():
    report = load(["pci-dss"]).report()
    assert "PAN = truncate:0:4   from pci-dss 3.5.1" in map(str, report)
    assert "tls = required   from pci-dss 4.2.1" in map(str, report)
    assert combine([]).report() == ()


def test_two_profiles_that_contradict_each_other_are_reconciled_by_a_file_that_extends_one(tmp_path: Path):
    with pytest.raises(ProfileError, match="sox 802 keeps records for 2557 days at least, gdpr") as caught:
        load(["sox", "gdpr"])
    assert caught.value.code == "profiles-conflict"
    own = tmp_path / "house.toml"
    own.write_text("extends = 'gdpr'\nname = 'house'\nversion = '1'\n[retention]\nmax_days = 2600\n")
    both = load(["sox", own])
    assert (str(both.min_days), str(both.max_days)) == (
        "retention.min_days = 2557   from sox 802",
        "retention.max_days = 2600   from house 5(1)(e)",
    )
    assert both.actions == load(["gdpr"]).actions | load(["sox"]).actions
