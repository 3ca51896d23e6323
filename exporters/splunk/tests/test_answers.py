"""The table of answers of Splunk's collector, row by row."""

import json

import pytest

from fapilog_exporter_splunk.answers import Answer, Fate, read, read_acknowledged

ROWS = [
    (200, 0, None, Fate.TAKEN, ""),
    (200, 24, None, Fate.TAKEN, ""),
    (403, 1, None, Fate.TOKEN, "token_refused"),
    (401, 2, None, Fate.TOKEN, "token_refused"),
    (401, 3, None, Fate.TOKEN, "token_refused"),
    (403, 4, None, Fate.TOKEN, "token_refused"),
    (400, 21, None, Fate.TOKEN, "token_refused"),
    (400, 22, None, Fate.TOKEN, "token_refused"),
    (400, 5, None, Fate.REFUSED, "no_data"),
    (400, 6, 3, Fate.EVENT, "invalid_data_format"),
    (400, 7, 0, Fate.EVENT, "incorrect_index"),
    (400, 12, 1, Fate.EVENT, "event_required"),
    (400, 13, 1, Fate.EVENT, "event_blank"),
    (400, 15, 1, Fate.EVENT, "indexed_fields"),
    (400, 6, None, Fate.EVENT, "invalid_data_format"),
    (400, 10, None, Fate.REFUSED, "channel_missing"),
    (400, 11, None, Fate.REFUSED, "channel_invalid"),
    (400, 14, None, Fate.REFUSED, "400"),
    (400, 16, None, Fate.REFUSED, "query_authorization"),
    (400, None, None, Fate.REFUSED, "400"),
    (404, None, None, Fate.NOT_FOUND, "not_found"),
    (408, None, None, Fate.LATER, "408"),
    (413, None, None, Fate.TOO_LARGE, "request_too_large"),
    (429, 26, None, Fate.LATER, "429"),
    (500, 8, None, Fate.LATER, "500"),
    (503, 9, None, Fate.LATER, "503"),
    (503, 9, 4, Fate.BUSY, "503"),
    (503, 18, None, Fate.LATER, "503"),
    (503, 19, None, Fate.LATER, "503"),
    (503, 20, None, Fate.LATER, "503"),
    (503, 23, None, Fate.LATER, "503"),
    (504, None, None, Fate.LATER, "504"),
    (301, None, None, Fate.REFUSED, "301"),
    (418, 9, 2, Fate.REFUSED, "418"),
]


def body(code, position=None, **more):
    said = {"text": "so it is", "code": code, "invalid-event-number": position, **more}
    return json.dumps({key: value for key, value in said.items() if value is not None}).encode()


@pytest.mark.parametrize(("status", "code", "position", "fate", "reason"), ROWS)
def test_each_answer_has_its_fate(status, code, position, fate, reason):
    answer = read((status, [], body(code, position)), 5, 0.0)
    assert (answer.fate, answer.position, answer.reason) == (fate, position, reason)


@pytest.mark.parametrize("number", [5, 6, -1, True, "2", 1.0, None])
def test_a_number_that_names_no_event_of_the_request_is_none(number):
    assert read((400, [], body(6, number)), 5, 0.0).position is None


def test_the_pause_that_is_asked_for_is_read():
    answer = read((429, [("Retry-After", "7")], b""), 5, 0.0)
    assert answer == Answer(
        Fate.LATER, retry_after_millis=7_000, cause="HTTP 429 Too Many Requests", reason="429"
    )


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"code":"9"}', b"<html>"])
def test_an_answer_that_is_no_splunk_is_decided_by_its_status(garbage):
    assert read((503, [], garbage), 5, 0.0).fate is Fate.LATER
    assert read((200, [], garbage), 5, 0.0).fate is Fate.TAKEN


def test_secrets_are_hidden_before_the_text_is_cut():
    answer = read(
        (400, [], b"x" * 190 + b"my-long-token-xyz"),
        5,
        0.0,
        lambda text: text.replace("my-long-token-xyz", "***"),
    )
    assert "my-long" not in answer.cause


def test_acknowledgements_are_those_that_are_true():
    assert read_acknowledged(b'{"acks":{"0":true,"1":false,"2":"true","x":true}}') == {0}
    # No answer raises: records that are taken already would count as rejected.
    assert read_acknowledged(b'{"acks":{"' + b"1" * 5_000 + b'":true,"7":true}}') == {7}
    assert read_acknowledged(b'{"acks":[1]}') == read_acknowledged(b"nonsense") == frozenset()
