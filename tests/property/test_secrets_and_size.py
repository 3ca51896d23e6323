"""No secret that the policy names leaves, wherever it stands; no record is larger than its cap."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.testing.decoding import decode_log_record
from tests.property import reference
from tests.property.conftest import Bench

SECRET = "hunter2"
MARK = "fapilog.truncated"
RECORD_BYTES = 65_536
WORDS = [
    ["password"],
    ["db", "password", "hash"],
    ["client", "secret"],
    ["api", "key"],
    ["x", "api", "key"],
    ["access", "token"],
    ["proxy", "authorization"],
    ["set", "cookie"],
    ["private", "key"],
    ["session", "key"],
    ["jwt"],
]
SPELLINGS = [
    "_".join,
    "-".join,
    ".".join,
    " ".join,
    "/".join,
    lambda words: "_".join(words).upper(),
    lambda words: "-".join(word.title() for word in words),
    lambda words: words[0] + "".join(word.title() for word in words[1:]),
    lambda words: "".join(word.title() for word in words),
]
# Words that an upper-case letter or a digit runs into.
RUN_TOGETHER = [
    "XApiKey",
    "DBPassword",
    "AWSSecretKey",
    "HTTPAuthorization",
    "password1",
    "password2",
    "token2",
    "api_key_2",
]
KEYS = sorted({spell(words) for words in WORDS for spell in SPELLINGS} | set(RUN_TOGETHER))
URLS = [
    f"https://ann:{SECRET}@host/path?a=1",
    f"postgresql+psycopg://ann:{SECRET}@db:5432/orders",
    f"redis://:{SECRET}@[::1]:6379/0",
    f"amqp://ann:{SECRET}@%20x@host",
    f"see (https://{SECRET}@host) for more",
]


@pytest.mark.parametrize("key", KEYS)
def test_the_value_of_a_secret_key_never_leaves_in_any_spelling(bench: Bench, key: str):
    bench.log.info({key: SECRET}, **{key: SECRET}, nested=[{"a": {key: [SECRET]}}])
    bench.log.bind(**{key: SECRET}).info("x")
    bench.log.emit_record(body="x", attributes={key: SECRET.encode()})
    encoded = list(bench.encoded)
    records = [decode_log_record(record) for record in encoded]
    bench.encoded.clear()
    assert [SECRET.encode() in record for record in encoded] == [False] * 3
    assert [record.attributes[key] for record in records] == [reference.MARKER] * 3
    assert reference.is_secret(key)


@pytest.mark.parametrize("url", URLS)
def test_the_credentials_of_a_url_never_leave_wherever_it_stands(bench: Bench, url: str):
    error = ValueError(f"cannot reach {url}")
    error.add_note(url)
    bench.log.info(url, a=url, b=[{"c": (url, url.encode())}], exc_info=error)
    bench.log.info("%s", url)
    bench.log.bind(a=url).info("x", event_name="x")
    bench.log.emit_record(body={"a": url}, attributes={"b": url}, exception=error)
    encoded = list(bench.encoded)
    bench.encoded.clear()
    assert [SECRET.encode() in record for record in encoded] == [False] * 4
    assert [b"REDACTED:REDACTED@" in record for record in encoded] == [True] * 4


@given(before=st.integers(0, 70_000), after=st.integers(0, 70_000), url=st.sampled_from(URLS))
@settings(deadline=None)
def test_a_cut_never_uncovers_a_credential(bench: Bench, before: int, after: int, url: str):
    bench.log.info("x" * before + url + "y" * after, a=url + "\u20ac" * after)
    [encoded] = bench.encoded
    bench.encoded.clear()
    # Not even its beginning: a cut through the URL would take the "@" away by which it is found.
    assert SECRET[:3].encode() not in encoded
    assert len(encoded) <= RECORD_BYTES


sizes = st.integers(0, 200_000)
large = st.one_of(
    sizes.map(lambda size: "\u20ac" * (size // 3)),
    sizes.map(lambda size: b"\xff" * size),
    # Three times the cap are enough: the reference below takes long for many elements.
    sizes.map(lambda size: [1] * (size // 4)),
    sizes.map(lambda size: {str(number): "x" for number in range(size // 20)}),
    st.lists(sizes.map(lambda size: "x" * size), max_size=5),
)


@given(
    body=large,
    attributes=st.dictionaries(st.text(max_size=100) | sizes.map(lambda n: "k" * n), large, max_size=5),
)
@settings(deadline=None, max_examples=60)
def test_a_record_above_its_cap_is_cut_and_marked_and_one_below_is_left_alone(
    bench: Bench, body: Any, attributes: dict[str, Any]
):
    bench.log.emit_record(body=body, severity_number=9, event_name="large", attributes=attributes)
    [encoded] = bench.encoded
    bench.encoded.clear()
    record = decode_log_record(encoded)
    assert len(encoded) <= RECORD_BYTES
    assert (record.severity_number, record.observed_time_unix_nano > 0) == (9, True)
    whole = reference.any_value(body).ByteSize() + sum(
        pair.ByteSize() for pair in reference.key_values(attributes.items())
    )
    if whole > RECORD_BYTES:
        assert record.attributes[MARK] is True
    elif whole < RECORD_BYTES - 1_000:
        assert MARK not in record.attributes
