"""Whatever a record says, its message keeps the grammar and the limit, and says it back."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.syslog.tests.records import batch_of, encoded, read
from fapilog_exporter_syslog.fitting import Draft, fit
from fapilog_exporter_syslog.text import header_field, message_text, param_name, param_value
from tests.servers.rfc5424 import parse

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SPITEFUL = st.text(st.sampled_from('a"\\] [=@<>\n\r\t\x00\x1b\x85\u2028\u202e-é中😀'), max_size=40)
ANY_TEXT = st.one_of(TEXTS, SPITEFUL)
SCALARS = st.one_of(
    ANY_TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=20), st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
)
ATTRIBUTES = st.dictionaries(ANY_TEXT, VALUES, max_size=6)
RECORDS = st.fixed_dictionaries(
    {"attributes": ATTRIBUTES},
    optional={
        "body": VALUES,
        "event_name": ANY_TEXT,
        "severity_number": st.integers(0, 24),
        "severity_text": ANY_TEXT,
        "time_unix_nano": st.integers(0, 2**64 - 1),
        "trace_id": st.binary(min_size=16, max_size=16),
        "span_id": st.binary(min_size=8, max_size=8),
        "flags": st.integers(0, 2**32 - 1),
    },
)
HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@settings(max_examples=40, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=4), ATTRIBUTES, st.tuples(ANY_TEXT, ANY_TEXT))
def test_every_record_is_a_message_of_the_grammar_in_one_line(records, resource, scope):
    batch = batch_of(*records, resource=resource, scope=scope)
    messages = read(batch)
    assert len(messages) == len(records)
    for message in messages:
        assert len(message.raw) <= 8_192
        assert not HARMFUL.search(message.raw.decode("utf-8"))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(ANY_TEXT, st.one_of(ANY_TEXT, st.integers(-9, 9)), max_size=8), ANY_TEXT)
def test_values_are_read_back_as_they_were_but_for_what_is_escaped(attributes, body):
    (message,) = read(batch_of({"attributes": attributes, "body": body}))
    said = [(param_name(key), message_text(str(value))) for key, value in attributes.items()]
    assert message.data.get("attributes@32473", []) == said
    assert (message.text or "") == message_text(body)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, st.text(max_size=3_000).filter(lambda text: text.isascii())), max_size=40),
    TEXTS,
)
def test_what_is_too_large_fits_after_all_and_short_values_are_whole(given_params, body):
    params = [(param_name(key), param_value(value)) for key, value in given_params]
    draft = Draft("<14>1 - host app - - ", [("otel@1", []), ("own@1", params)], message_text(body * 30))
    whole = draft.assembled()
    if len(whole) <= 1_024:
        return
    message = parse(fit(draft, 1_024))
    assert len(message.raw) <= 1_024
    assert int(message.element("otel")["cut_bytes"]) > 0
    for (name, value), (kept_name, kept) in zip(given_params, message.data.get("own@1", []), strict=False):
        assert kept_name == param_name(name)
        assert message_text(value).startswith(kept)
        assert len(value.encode()) > 60 or kept == message_text(value) or "\\" in param_value(value)
    assert message_text(body * 30).startswith(message.text or "")


@settings(max_examples=40, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=3))
def test_the_same_records_are_the_same_bytes(records):
    batch = batch_of(*records)
    assert encoded(batch).frames == encoded(batch).frames


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_whatever_python_calls_a_text_can_be_written(text):
    assert not HARMFUL.search(message_text(text))
    written = f'<14>1 - h a - - [otel@1 text="{param_value(text)}"]'.encode()
    assert parse(written).element("otel") == {"text": message_text(text)}


@settings(max_examples=40, deadline=None)
@given(ANY_TEXT, st.integers(1, 60))
def test_a_header_field_is_printable_and_no_longer_than_asked(text, limit):
    found = header_field(text, limit)
    assert re.fullmatch(r"[!-~]+", found)
    assert len(found) <= limit


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80))
def test_a_name_has_32_characters_at_most_and_none_that_ends_it(key):
    assert re.fullmatch(r"[!#-<>-\\^-~]{1,32}", param_name(key))


def test_of_very_many_attributes_the_first_ones_stay_and_few_drafts_are_tried(monkeypatch):
    tried = []
    assembled = Draft.assembled
    monkeypatch.setattr(Draft, "assembled", lambda draft: tried.append(draft) or assembled(draft))
    many = [(f"key{number}", "v" * 50) for number in range(3_000)]
    message = parse(fit(Draft("<14>1 - h - - - ", [("otel@1", []), ("own@1", many)], "hi"), 8_192))
    kept = message.element("own")
    assert kept == dict(many[: len(kept)])
    assert 100 < len(kept) < 200
    assert int(message.element("otel")["cut_bytes"]) == 50 * (len(many) - len(kept))
    assert len(tried) < 20
