"""Requests are cut by size, however events were changed meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from fapilog_exporter_splunk.events import Events, Lines


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    start=st.integers(0, 19),
    max_bytes=st.integers(1, 100),
    max_events=st.integers(1, 25),
    targets=st.lists(st.sampled_from(["", "a"]), min_size=20, max_size=20),
    with_targets=st.booleans(),
)
def test_a_request_takes_as_much_as_the_limits_allow_and_one_event_at_least(
    sizes, start, max_bytes, max_events, targets, with_targets
):
    start %= len(sizes)
    lines = Lines([b"x" * size for size in sizes])
    events = Events(lines, targets[: len(sizes)] if with_targets else ())
    end = events.fitting(start, len(sizes), max_bytes, max_events)
    expected = start + 1
    while (
        expected < len(sizes)
        and expected - start < max_events
        and sum(sizes[start : expected + 1]) <= max_bytes
        and (not with_targets or targets[expected] == targets[start])
    ):
        expected += 1
    assert end == expected
    assert len(events.body(start, end)) == sum(sizes[start:end])


@given(sizes=st.lists(st.integers(1, 30), max_size=20), limit=st.integers(1, 30))
def test_oversized_events_are_found(sizes, limit):
    found = Events(Lines([b"x" * size for size in sizes])).oversized(limit)
    assert found == [number for number, size in enumerate(sizes) if size > limit]
