"""The table of answers: what each status of a document and of a request means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog_exporter_elasticsearch.answers import Answer, Fate, Item, read


def answer(
    status: int, body: object = b"", headers: object = (), documents: int = 1, ids: bool = True
) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read((status, list(headers), content), documents, ids=ids, now=0.0, hide=lambda text: text)


def item(status: int, kind: str = "kind_exception", ids: bool = True, **more: object) -> Item:
    entry = {"create": {"status": status, **({"error": {"type": kind}} if status >= 300 else {}), **more}}
    (only,) = answer(200, {"errors": status >= 300, "items": [entry]}, ids=ids).items
    return only


@pytest.mark.parametrize(
    ("status", "with_ids", "without"),
    [
        (200, Fate.TAKEN, Fate.TAKEN),
        (201, Fate.TAKEN, Fate.TAKEN),
        (400, Fate.REFUSED, Fate.REFUSED),
        (401, Fate.REFUSED, Fate.REFUSED),
        (403, Fate.REFUSED, Fate.REFUSED),
        (404, Fate.REFUSED, Fate.REFUSED),
        (408, Fate.LATER, Fate.LATER),
        (409, Fate.DUPLICATE, Fate.REFUSED),
        (429, Fate.LATER, Fate.LATER),
        (500, Fate.LATER, Fate.REFUSED),
        (502, Fate.LATER, Fate.REFUSED),
        (503, Fate.LATER, Fate.LATER),
        (504, Fate.LATER, Fate.REFUSED),
    ],
)
def test_each_status_of_a_document_has_its_fate(status, with_ids, without):
    assert item(status).fate is with_ids
    assert item(status, ids=False).fate is without


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (302, Fate.REFUSED),
        (400, Fate.REFUSED),
        (401, Fate.CREDENTIALS),
        (403, Fate.CREDENTIALS),
        (404, Fate.REFUSED),
        (405, Fate.REFUSED),
        (406, Fate.REFUSED),
        (408, Fate.LATER),
        (413, Fate.TOO_LARGE),
        (429, Fate.LATER),
        (500, Fate.LATER),
        (502, Fate.LATER),
        (503, Fate.LATER),
        (504, Fate.LATER),
    ],
)
def test_each_status_of_a_request_has_its_fate(status, fate):
    assert answer(status).fate is fate


def test_a_pause_that_the_server_asks_for_is_read():
    assert answer(503, headers=[("Retry-After", "7")]).retry_after_millis == 7_000
    assert answer(503).retry_after_millis is None


def test_a_busy_server_that_names_no_pause_still_counts_as_an_answer():
    assert answer(429).retry_after_millis == 0


@given(
    taken=st.integers(0, 5),
    cut=st.integers(0, 30),
    documents=st.integers(1, 5),
    more=st.sampled_from([b"", b" ", b",", b"]"]),
)
def test_the_usual_answer_counts_only_when_it_has_an_entry_for_each_document(taken, cut, documents, more):
    entries = b",".join([b'{"create":{"status":201}}'] * taken)
    body = b'{"errors":false,"items":[' + entries + b"]}"
    said = answer(200, body, documents=documents)
    whole = [Item(Fate.TAKEN)] * documents
    assert (said.fate, list(said.items)) == ((Fate.EACH, whole) if taken == documents else (Fate.LATER, []))
    broken = body[: max(0, len(body) - 1 - cut)] + more
    assert answer(200, broken, documents=documents).fate is Fate.LATER


def test_a_document_in_the_failure_store_is_kept_aside():
    assert item(201, failure_store="used").fate is Fate.KEPT_ASIDE
    assert item(201, failure_store="not_applicable_or_unknown").fate is Fate.TAKEN


def test_a_short_answer_without_items_takes_all():
    assert answer(200, {"errors": False}, documents=3).items == [Item(Fate.TAKEN)] * 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>log in</html>",
        b"[]",
        b"null",
        b'{"errors":true}',
        b'{"errors":true,"items":[]}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_cannot_be_read_says_nothing_about_the_documents(body):
    found = answer(200, body)
    assert (found.fate, found.reason) == (Fate.LATER, "answer_unreadable")


@pytest.mark.parametrize("entry", [{}, 1, {"create": {}}, {"create": {"status": "201"}}, {"create": None}])
def test_an_item_that_cannot_be_read_is_sent_again(entry):
    (only,) = answer(200, {"errors": True, "items": [entry]}).items
    assert (only.fate, only.reason) == (Fate.LATER, "answer_unreadable")


def test_what_servers_quote_of_documents_is_not_repeated():
    error = {
        "type": "document_parsing_exception",
        "reason": "[1:23] failed to parse field [num] of type [long] in document with id 'x'."
        " Preview of field's value: 'what a user wrote'",
        "caused_by": {
            "type": "illegal_argument_exception",
            "reason": 'For input string: "what a user wrote"',
        },
    }
    (only,) = answer(200, {"errors": True, "items": [{"create": {"status": 400, "error": error}}]}).items
    said = "[1:23] failed to parse field [num] of type [long] in document with id 'x'..."
    cause = f"400 document_parsing_exception: {said} (by illegal_argument_exception)"
    assert only == Item(Fate.REFUSED, "document_parsing_exception", cause)


def test_a_missing_index_comes_with_a_hint():
    found = item(404, "index_not_found_exception")
    assert found.reason == "index_not_found_exception"
    assert "create one, or set dataset, namespace or index" in found.cause


def test_a_kind_that_is_no_word_is_not_a_reason():
    assert item(400, "x" * 500).reason == "400"
    assert item(400, "no word\n").reason == "400"


def test_credentials_that_a_server_repeats_are_hidden():
    body = json.dumps({"error": {"type": "security_exception", "reason": "key sesame is unknown"}}).encode()
    found = read((401, [], body), 1, ids=True, now=0.0, hide=lambda text: text.replace("sesame", "***"))
    assert "key *** is unknown" in found.cause
    assert "check api_key" in found.cause


def test_an_older_server_says_which_option_it_does_not_know():
    reason = "Action/metadata line [1] contains an unknown parameter [require_data_stream]"
    found = answer(400, {"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400})
    assert found.fate is Fate.OPTION_UNKNOWN
