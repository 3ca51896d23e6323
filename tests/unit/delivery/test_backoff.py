"""Pauses between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.backoff import pause_seconds
from fapilog.settings import RetrySettings

SETTINGS = RetrySettings(
    initial_backoff_millis=1_000, max_backoff_millis=30_000, max_retry_after_millis=300_000
)


def test_the_ceiling_doubles_up_to_the_longest_pause():
    pauses = [pause_seconds(attempt, None, SETTINGS, 1.0) for attempt in range(7)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_pause_that_was_asked_for_is_honoured_up_to_its_limit():
    assert pause_seconds(0, 5_000, SETTINGS, 0.0) == 5.0
    assert pause_seconds(0, 5_000_000, SETTINGS, 0.0) == 300.0


@given(st.integers(0, 10**6), st.none() | st.integers(-(10**9), 10**12), st.floats(0.0, 1.0))
def test_no_pause_is_negative_or_longer_than_both_limits_together(
    attempt: int, after: int | None, random: float
):
    assert 0.0 <= pause_seconds(attempt, after, SETTINGS, random) <= 330.0
