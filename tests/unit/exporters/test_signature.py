"""Signatures of webhooks: what was signed passes, nothing else does, and an old one neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from fapilog.exporters.signature import SIGNATURE_HEADER, TOLERANCE_SECONDS, sign, verify

NOW = 1_700_000_000
BODY = b'{"resourceLogs":[]}'
secrets = st.one_of(st.text(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))


def headers(value):
    return {SIGNATURE_HEADER: value}


@given(st.binary(max_size=200), st.lists(secrets, min_size=1, max_size=3), st.integers(0, 2**40))
def test_what_was_signed_passes_with_each_of_its_secrets(body, known, seconds):
    value = sign(body, known, seconds)
    assert all(verify(headers(value), body, secret, now=seconds) for secret in known)
    assert verify(headers(value), body, known, now=seconds)


@given(st.binary(max_size=50), st.binary(max_size=50), st.integers(0, 2**40))
def test_another_body_does_not_pass(body, other, seconds):
    assert verify(headers(sign(body, ["s"], seconds)), other, "s", now=seconds) == (body == other)


@given(st.text(max_size=120))
def test_no_text_of_a_stranger_passes_or_raises(value):
    assert not verify(headers(value), BODY, "s", now=NOW)


@pytest.mark.parametrize(
    ("age", "passes"),
    [(0, True), (TOLERANCE_SECONDS, True), (-TOLERANCE_SECONDS, True), (301, False), (-301, False)],
)
def test_a_signature_has_its_time(age, passes):
    assert verify(headers(sign(BODY, ["s"], NOW)), BODY, "s", now=NOW + age) == passes


def test_the_time_itself_is_signed():
    value = sign(BODY, ["s"], NOW).replace(f"t={NOW}", f"t={NOW + 100}")
    assert not verify(headers(value), BODY, "s", now=NOW + 100)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "t=1",
        "v1=abc",
        "t=,v1=abc",
        "t=x,v1=abc",
        f"t={NOW},t={NOW},v1=",
        "t=" + "9" * 16 + ",v1=a",
        ",=,",
    ],
)
def test_a_damaged_header_does_not_pass(value):
    assert not verify(headers(value), BODY, "s", now=NOW)


def test_a_missing_header_does_not_pass():
    assert not verify({}, BODY, "s", now=NOW)


def test_the_name_of_the_header_may_be_in_any_case():
    assert verify({"x-FAPILOG-signature": sign(BODY, ["s"], NOW)}, BODY, "s", now=NOW)


def test_while_a_secret_changes_both_sides_may_know_either():
    value = sign(BODY, ["new", "old"], NOW)
    assert value.count("v1=") == 2
    assert [verify(headers(value), BODY, known, now=NOW) for known in ("new", "old", "other")] == [
        True,
        True,
        False,
    ]
    assert verify(headers(sign(BODY, ["new"], NOW)), BODY, ["old", "new"], now=NOW)


def test_no_secret_at_all_passes_nothing():
    assert not verify(headers(sign(BODY, ["s"], NOW)), BODY, [], now=NOW)


@pytest.mark.parametrize("secret", ["", b"", ["s", ""]])
def test_an_empty_secret_is_a_mistake(secret):
    with pytest.raises(ValueError, match="the secret is empty"):
        verify(headers(sign(BODY, [""], NOW)), BODY, secret, now=NOW)


@pytest.mark.parametrize("known", [SecretStr("s"), SecretBytes(b"s"), [SecretStr("old"), SecretStr("s")]])
def test_a_secret_that_hides_itself_is_taken(known):
    value = headers(sign(BODY, ["s"], NOW))
    assert verify(value, BODY, known, now=NOW)
    assert not verify(value, BODY, SecretStr("other"), now=NOW)


def test_an_empty_secret_that_hides_itself_is_a_mistake():
    with pytest.raises(ValueError, match="the secret is empty"):
        verify(headers(sign(BODY, [""], NOW)), BODY, SecretStr(""), now=NOW)


def test_without_a_time_given_the_clock_counts():
    assert not verify(headers(sign(BODY, ["s"], NOW)), BODY, "s")
