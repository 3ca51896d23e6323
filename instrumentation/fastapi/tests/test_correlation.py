"""The id of a request is checked before anything sees it, and made where there is none."""

import os
import random
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog_instrumentation_fastapi.correlation import Correlator, new_id, trace_id_of, valid

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
HARMLESS = set(string.ascii_letters + string.digits + "!#$&'*+-./:@^_`|~?(){}[]")


@given(st.binary(max_size=200))
def test_what_is_accepted_is_short_visible_ascii_without_separators(value: bytes):
    found = valid(value)
    if found is not None:
        assert 1 <= len(found) <= 128
        assert set(found) <= HARMLESS
        assert found == value.strip(b" \t").decode("ascii")


@given(st.text(alphabet=sorted(HARMLESS), min_size=1, max_size=128))
def test_every_harmless_id_is_accepted_as_it_is(text: str):
    assert valid(text.encode()) == text


@given(st.binary(max_size=80))
def test_a_trace_id_is_32_hex_digits_or_nothing(value: bytes):
    found = trace_id_of(value)
    assert found is None or (len(found) == 32 and set(found) <= set("0123456789abcdef"))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"ff-" + TRACEPARENT[3:],
        TRACEPARENT + b"-more",
        b"00-" + b"0" * 32 + TRACEPARENT[35:],
        TRACEPARENT[:36] + b"0" * 16 + b"-01",
        TRACEPARENT.upper(),
        TRACEPARENT + b"\n",
    ],
)
def test_a_traceparent_that_the_standard_forbids_has_no_id(value: bytes):
    assert trace_id_of(value) is None


def test_a_later_version_of_traceparent_may_have_more_fields():
    assert trace_id_of(b"01" + TRACEPARENT[2:] + b"-more") == TRACE


def test_headers_are_asked_in_order_and_traceparent_last():
    correlator = Correlator(["X-Correlation-ID", "X-Request-ID"], True, True)
    assert correlator.wanted == (b"x-correlation-id", b"x-request-id", b"traceparent")
    assert correlator.choose([b"first", b"second", TRACEPARENT]) == "first"
    assert correlator.choose([b"not valid", b"second", TRACEPARENT]) == "second"
    assert correlator.choose([None, b"", TRACEPARENT]) == TRACE


def test_an_id_is_made_where_none_is_valid_or_none_is_wanted():
    for correlator in (Correlator(["X-Request-ID"], False, True), Correlator([], True, False)):
        assert correlator.wanted == ()
        assert len(correlator.choose([b"r-1"])) == 32


def test_new_ids_differ_sort_by_time_and_say_version_7():
    ids = [new_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert [each[:12] for each in ids] == sorted(each[:12] for each in ids)
    assert {each[12] for each in ids} == {"7"}
    assert {each[16] for each in ids} <= set("89ab")


def test_ids_neither_follow_nor_disturb_the_random_numbers_of_the_application():
    state = random.getstate()
    try:
        random.seed(7)
        expected = random.random()
        random.seed(7)
        first = new_id()
        assert random.random() == expected
        random.seed(7)
        assert new_id()[12:] != first[12:]
    finally:
        random.setstate(state)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_makes_other_ids():
    code = (
        "import os\n"
        "from fapilog_instrumentation_fastapi import chance\n"
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.write(w, str(chance.numbers.getrandbits(64)).encode()); os._exit(0)\n"
        "child = os.read(r, 100); os.wait()\n"
        "assert child != str(chance.numbers.getrandbits(64)).encode()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
