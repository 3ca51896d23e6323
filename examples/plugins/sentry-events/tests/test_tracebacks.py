"""Printed tracebacks of any exception, and texts that are none."""

import traceback

import pytest
from fapilog.exceptions import describe_exception
from hypothesis import given
from hypothesis import strategies as st

from sentry_events.tracebacks import exceptions

MESSAGES = st.text(max_size=60).filter(lambda text: "exception" not in text)


class Shop:
    class FullError(Exception):
        """Within a class, so its name has dots."""


def caught(*messages):
    """An exception with a chain of causes, oldest first."""
    previous = None
    for message in messages:
        try:
            raise Shop.FullError(message) from previous
        except Shop.FullError as error:
            previous = error
    return previous


@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_a_chain_comes_back_with_types_messages_and_frames(messages):
    found = exceptions(describe_exception(caught(*messages))[2])
    assert [each["type"] for each in found] == ["FullError"] * len(messages)
    assert [each["value"].rstrip("\n") for each in found] == [each.rstrip("\n") for each in messages]
    assert {each["module"] for each in found} == {f"{__name__}.Shop"}
    frames = [frame for each in found for frame in each["stacktrace"]["frames"]]
    assert {(frame["function"], frame["context_line"]) for frame in frames} == {
        ("caught", "raise Shop.FullError(message) from previous")
    }


@given(st.text())
def test_a_text_that_is_no_traceback_has_no_exceptions_or_some_with_a_type(text):
    for found in (exceptions(text), exceptions(f"Traceback (most recent call last):\n{text}")):
        assert all(each["type"] for each in found)


def deep(depth):
    return deep(depth - 1) if depth else int("x")


def test_a_long_traceback_keeps_the_frames_that_the_record_has():
    try:
        deep(200)
    except ValueError as error:
        [found] = exceptions(describe_exception(error)[2])
    frames = found["stacktrace"]["frames"]
    assert any("frames left out" in frame["filename"] for frame in frames)
    assert (frames[0]["function"], frames[-1]["function"]) == (
        "test_a_long_traceback_keeps_the_frames_that_the_record_has",
        "deep",
    )


def test_a_group_stays_a_text():
    with pytest.raises(ExceptionGroup) as caught:
        raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
    assert exceptions("".join(traceback.format_exception(caught.value))) == []


def test_a_cause_that_was_never_raised_has_no_frames():
    with pytest.raises(KeyError) as caught:
        raise KeyError("b") from ValueError("a")
    first, second = exceptions("".join(traceback.format_exception(caught.value)))
    assert first == {"type": "ValueError", "value": "a"}
    assert (second["value"], "stacktrace" in second) == ("'b'", True)


def test_frames_of_others_are_not_of_the_application():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/orders.py", line 3, in place\n'
        '  File "/srv/venv/lib/python3.13/site-packages/x.py", line 7, in call\n'
        "    raise Timeout\n"
        "    ^^^^^^^^^^^^^\n"
        "x.Timeout"
    )
    [found] = exceptions(text)
    assert (found["type"], found["module"], found["value"]) == ("Timeout", "x", "")
    assert [frame["in_app"] for frame in found["stacktrace"]["frames"]] == [True, False]
