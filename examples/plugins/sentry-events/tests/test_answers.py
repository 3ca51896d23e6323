"""What each answer means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_events.answers import Fate, read

LIMITS = "X-Sentry-Rate-Limits"


@pytest.mark.parametrize(
    ("status", "headers", "fate", "pause", "limits", "uncertain"),
    [
        (200, {}, Fate.TAKEN, None, {}, False),
        (202, {LIMITS: "5:error:key"}, Fate.TAKEN, None, {"error": 5_000}, False),
        (413, {}, Fate.TOO_LARGE, None, {}, False),
        (429, {}, Fate.LATER, None, {"": 60_000}, False),
        (429, {"Retry-After": "3"}, Fate.LATER, 3_000, {"": 3_000}, False),
        (
            429,
            {LIMITS: "60:error;default:o, 2700::k"},
            Fate.LATER,
            None,
            {"error": 60_000, "default": 60_000, "": 2_700_000},
            False,
        ),
        (401, {}, Fate.LATER, 9, {}, False),
        (403, {}, Fate.LATER, 9, {}, False),
        (404, {}, Fate.LATER, 9, {}, False),
        (408, {}, Fate.LATER, None, {}, True),
        (502, {"Retry-After": "1"}, Fate.LATER, 1_000, {}, True),
        (400, {}, Fate.REFUSED, None, {}, False),
        (302, {}, Fate.REFUSED, None, {}, False),
    ],
)
def test_what_an_answer_means_for_the_records(status, headers, fate, pause, limits, uncertain):
    answer = read((status, [(name.lower(), value) for name, value in headers.items()], b""), 0.0, 9)
    assert (answer.fate, answer.pause_millis, answer.limits, answer.uncertain) == (
        fate,
        pause,
        limits,
        uncertain,
    )


@given(st.integers(100, 599), st.text(), st.binary())
def test_no_header_and_no_body_raises(status, limits, body):
    answer = read((status, [("x-sentry-rate-limits", limits)], body), 0.0, 9)
    assert all(millis >= 0 for millis in answer.limits.values())
    assert (answer.fate is Fate.TAKEN) is (200 <= status < 300)
