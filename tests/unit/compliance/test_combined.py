"""Several profiles count as one: the strictest of each, and contradictions are said."""

import pytest

from fapilog.compliance import ProfileError, combine, load
from tests.unit.compliance.profiles import profile


def acting(name, **actions):
    return profile(name, actions={kind: {"clause": "1"} | given for kind, given in actions.items()})


def test_the_strictest_action_counts_and_so_does_the_strictest_bound():
    combined = combine(
        [
            acting("a", PAN={"do": "truncate:0:4", "weakest": "seal"}, EMAIL={"do": "mask:4"}),
            acting("b", PAN={"do": "remove", "weakest": "token"}, IPV4={"do": "generalise"}),
        ]
    )
    assert combined.actions == {"PAN": "remove", "EMAIL": "mask:4", "IPV4": "generalise"}
    assert [str(combined.bound(kind)) for kind in ("PAN", "EMAIL", "US_SSN")] == [
        "PAN = token   from b 1",
        "EMAIL = mask:4   from a 1",
        "None",
    ]


def test_the_longest_least_and_the_shortest_most_time_count():
    combined = combine(
        [
            profile("a", retention={"min_days": 90, "min_clause": "1", "max_days": 800, "max_clause": "2"}),
            profile("b", retention={"min_days": 365, "min_clause": "1"}),
            profile("c", retention={"max_days": 400, "max_clause": "2"}),
        ]
    )
    assert (str(combined.min_days), str(combined.max_days)) == (
        "retention.min_days = 365   from b 1",
        "retention.max_days = 400   from c 2",
    )


def test_times_that_contradict_each_other_name_both_clauses():
    keeps = profile("pci", retention={"min_days": 365, "min_clause": "1"})
    deletes = profile("gdpr", retention={"max_days": 90, "max_clause": "2"})
    with pytest.raises(ProfileError) as caught:
        combine([keeps, deletes])
    assert (caught.value.code, caught.value.what) == (
        "profiles-conflict",
        "pci 1 keeps records for 365 days at least, gdpr 2 for 90 days at most",
    )


def test_a_field_that_one_wants_and_another_forbids_names_both_clauses():
    wants = profile("pci", categories={"audit": {"required": ["user.id", "a|b"], "clause": "1"}})
    forbids = profile("gdpr", categories={"audit": {"forbidden": ["user.id", "a"], "clause": "2"}})
    with pytest.raises(ProfileError, match=r"pci 1 wants user\.id in audit records, gdpr 2 forbids it"):
        combine([wants, forbids])


def test_one_profile_cannot_be_named_twice():
    with pytest.raises(ProfileError, match="the profile a is there twice"):
        combine([profile("a"), profile("a", version="2")])


def test_the_report_says_what_came_from_where():
    combined = combine(
        [
            acting("a", PAN={"do": "truncate:0:4"}, EMAIL={"do": "mask:4"}),
            acting("b", PAN={"do": "remove", "clause": "2"}),
            profile("c", transport={"tls": True, "clause": "1"}, minimise=True, minimise_clause="2"),
            profile("d", categories={"security": {"required": ["user.id", "action"], "clause": "1"}}),
        ]
    )
    assert [str(need) for need in combined.report()] == [
        "PAN = remove   from b 2",
        "EMAIL = mask:4   from a 1",
        "minimise = true   from c 2",
        "tls = required   from c 1",
        "security.required = user.id,action   from d 1",
    ]


def test_nothing_is_asked_without_profiles():
    combined = load(())
    assert (bool(combined), combined.actions, combined.tls, combined.report()) == (False, {}, None, ())
