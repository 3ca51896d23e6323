"""The server that exporters are measured against: it answers as theirs do, and counts each record once."""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.null_server.server import NullServer, null_server, wait_for_records

# The first run compiles the server.
pytestmark = [
    pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed"),
    pytest.mark.timeout(600),
]

EVENT = b'{"event":"order placed","fields":{"order_id":1}}\n'
DOCUMENT = b'{"create":{"_index":"logs"}}\n{"body":{"text":"order placed"}}\n'
FILTER = "?filter_path=errors,items.*.status"


@pytest.fixture(scope="module")
def server() -> Iterator[NullServer]:
    with null_server() as running:
        yield running


def post(server: NullServer, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, named)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def counted(server: NullServer, *request: Any, **headers: str) -> tuple[Any, dict[str, int]]:
    before = server.stats()
    answer = post(server, *request, **headers)
    return answer, {name: value - before[name] for name, value in server.stats().items()}


def test_events_are_taken_and_counted_packed_in_chunks_and_plain(server: NullServer) -> None:
    path, body = "/services/collector/event", EVENT * 3
    packed = gzip.compress(body)
    success = (200, {"text": "Success", "code": 0})
    plain = {"requests": 1, "body_bytes": len(body), "plain_bytes": len(body), "records": 3}
    assert counted(server, path, body) == (success, plain)
    assert counted(server, path, iter([body[:70], body[70:]])) == (success, plain)
    found = counted(server, path, packed, content_encoding="gzip")
    assert found == (success, plain | {"body_bytes": len(packed)})


def test_each_document_is_created_as_far_as_the_filter_asks(server: NullServer) -> None:
    status, whole = post(server, "/_bulk", DOCUMENT * 2)
    assert (status, whole["errors"], len(whole["items"])) == (200, False, 2)
    assert set(whole["items"][0]["create"]) > {"_index", "_id", "result", "status"}
    created = {"errors": False, "items": [{"create": {"status": 201}}] * 3}
    assert post(server, f"/logs/_bulk{FILTER}", DOCUMENT * 3) == (200, created)
    assert post(server, f"/_bulk{FILTER}", DOCUMENT) == (200, created | {"items": created["items"][:1]})
    assert post(server, "/_bulk?filter_path=errors,items.*.error", DOCUMENT) == (200, {"errors": False})


def test_a_bulk_request_without_documents_is_refused(server: NullServer) -> None:
    status, said = post(server, "/_bulk", b"")
    assert (status, said["error"]["type"]) == (400, "parse_exception")


def test_a_connection_serves_more_than_one_request_until_the_client_closes_it(server: NullServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for headers, closed in (({}, False), ({}, False), ({"Connection": "close"}, True)):
        connection.request("POST", "/services/collector", EVENT, headers)
        answer = connection.getresponse()
        assert answer.read()
        assert answer.will_close == closed
    connection.close()


def test_the_wait_ends_with_the_last_record_or_when_no_more_come(server: NullServer) -> None:
    before = server.stats()["records"]
    post(server, "/services/collector", EVENT * 2)
    assert wait_for_records(server.url, before + 2)[0] == before + 2
    assert wait_for_records(server.url, before + 3, quiet_seconds=0.05)[0] == before + 2
    assert server.cpu_seconds() >= 0
