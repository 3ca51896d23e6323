"""The strict collector of our tests says what Splunk says; the table of codes, row by row."""

import gzip
import json

import pytest

from tests.servers.hec import TOKEN, Fault, Hec, Token
from tests.servers.hec_rules import Request

CHANNEL = "6f1b0e6e-8f4c-4b9e-9d9b-2d6d6f5a7c11"


def ask(
    hec: Hec, body: bytes = b"", path: str = "/services/collector/event", method: str = "POST", **headers: str
):
    given = {"authorization": f"Splunk {TOKEN}", "content-type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = hec.answer(Request(method, path, {name: value for name, value in given.items() if value}, body))
    said = json.loads(answer.body) if answer.body.startswith(b"{") else {}
    return answer.status, said.get("code"), said.get("invalid-event-number")


def collector(**token) -> Hec:
    return Hec({TOKEN: Token(**token)}, max_content_length=2_000, max_event_bytes=500)


GOOD = b'{"event":"a","time":1.5,"fields":{"k":"v","n":1,"l":["x","y"]}}'


@pytest.mark.parametrize(
    ("body", "answer", "taken"),
    [
        (GOOD, (200, 0, None), 1),
        (GOOD + GOOD, (200, 0, None), 2),
        (GOOD + b"\n" + GOOD + b"\n", (200, 0, None), 2),
        (b"", (400, 5, None), 0),
        (b" \n", (400, 5, None), 0),
        (b"[" + GOOD + b"]", (400, 6, 0), 0),
        (GOOD + b"{", (400, 6, 1), 1),
        (GOOD + b'{"event":NaN}' + GOOD, (400, 6, 1), 1),
        (GOOD + b'{"event":"' + b"x" * 600 + b'"}', (400, 6, 1), 1),
        (GOOD + b'{"time":1}', (400, 12, 1), 1),
        (GOOD + b'{"event":""}' + GOOD, (400, 13, 1), 1),
        (GOOD + b'{"event":1,"fields":{"a":{"b":1}}}', (400, 15, 1), 1),
        (GOOD + b'{"event":1,"fields":{"a":[{"b":1}]}}', (400, 15, 1), 1),
        (GOOD + b'{"event":1,"fields":{"a":null}}', (400, 15, 1), 1),
        (GOOD + b'{"event":1,"time":{}}', (400, 6, 1), 1),
        (GOOD + b'{"event":1,"host":1}', (400, 6, 1), 1),
        (GOOD * 40, (413, 27, None), 0),
    ],
)
def test_events_before_the_one_at_fault_are_taken(body, answer, taken):
    hec = collector()
    assert ask(hec, body) == answer
    assert len(hec.events) == taken


def test_an_index_must_be_one_of_the_tokens():
    hec = collector(indexes=frozenset({"main"}))
    body = b'{"event":1,"index":"main"}{"event":2}{"event":3,"index":"other"}'
    assert ask(hec, body) == (400, 7, 2)
    assert len(hec.events) == 2


@pytest.mark.parametrize(
    ("authorization", "answer"),
    [
        ("", (401, 2, None)),
        (TOKEN, (401, 3, None)),
        (f"Bearer {TOKEN}", (401, 3, None)),
        ("Splunk other", (403, 4, None)),
    ],
)
def test_the_token_must_be_there_and_known(authorization, answer):
    assert ask(collector(), GOOD, authorization=authorization) == answer


def test_a_disabled_token_and_one_in_the_query_are_refused():
    assert ask(collector(disabled=True), GOOD) == (403, 1, None)
    assert ask(collector(), GOOD, f"/services/collector/event?token={TOKEN}") == (400, 16, None)


def test_gzip_is_unpacked_and_a_bomb_is_not():
    hec = collector()
    assert ask(hec, gzip.compress(GOOD), content_encoding="gzip") == (200, 0, None)
    assert ask(hec, gzip.compress(b" " * 10_000_000), content_encoding="gzip") == (413, 27, None)
    assert ask(hec, gzip.compress(GOOD)[:-9], content_encoding="gzip") == (400, 6, None)
    assert ask(hec, b"no gzip", content_encoding="gzip") == (400, 6, None)
    assert ask(hec, GOOD, content_encoding="zstd") == (400, 6, None)
    assert len(hec.events) == 1


def test_acknowledgement_needs_a_channel_and_is_said_once():
    hec = collector(use_ack=True)
    hec.acknowledges = False
    ack = "/services/collector/ack"
    assert ask(hec, GOOD) == (400, 10, None)
    assert ask(hec, GOOD, x_splunk_request_channel="no-guid") == (400, 11, None)
    for _ in range(2):
        assert ask(hec, GOOD, x_splunk_request_channel=CHANNEL) == (200, 0, None)

    def acknowledged() -> dict[str, bool]:
        headers = {"authorization": f"Splunk {TOKEN}", "x-splunk-request-channel": CHANNEL}
        return json.loads(hec.answer(Request("POST", ack, headers, b'{"acks":[0,1,7]}')).body)["acks"]

    assert acknowledged() == {"0": False, "1": False, "7": False}
    hec.acknowledge()
    assert acknowledged() == {"0": True, "1": True, "7": False}
    assert acknowledged() == {"0": False, "1": False, "7": False}
    assert ask(collector(), b'{"acks":[0]}', ack, x_splunk_request_channel=CHANNEL) == (400, 14, None)


def test_raw_needs_a_channel_and_takes_what_it_says_of_all_lines_from_the_query():
    hec = collector()
    raw = "/services/collector/raw?index=main&source=s"
    assert ask(hec, b"a\nb\n", raw) == (400, 10, None)
    assert ask(hec, b"a\nb\n", raw, x_splunk_request_channel=CHANNEL) == (200, 0, None)
    assert hec.events == [{"index": "main", "source": "s", "event": each} for each in "ab"]


def test_health_methods_and_paths():
    hec = collector()
    assert ask(hec, path="/services/collector/health", method="GET") == (200, 17, None)
    hec.healthy = False
    assert ask(hec, path="/services/collector/health/1.0", method="GET") == (503, 18, None)
    assert ask(hec, GOOD, method="GET")[0] == 405
    assert ask(hec, GOOD, "/v1/logs")[0] == 404
    assert ask(hec, GOOD, "/services/collector/event/1.0") == (200, 0, None)


def test_faults_come_in_order_and_take_what_they_say():
    hec = collector()
    hec.faults.extend([Fault(take=1, numbered=True), Fault(status=429, code=None), Fault(take=2, status=0)])
    assert ask(hec, GOOD * 3) == (503, 9, 1)
    assert ask(hec, GOOD) == (429, None, None)
    headers = {"authorization": f"Splunk {TOKEN}", "content-type": "application/json"}
    assert hec.answer(Request("POST", "/services/collector", headers, GOOD * 3)).reset
    assert len(hec.events) == 3
