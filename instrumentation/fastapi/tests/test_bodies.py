"""Headers and bodies are on the access record as far as asked, and what passes stays as it is."""

import asyncio
import encodings
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    RequestLoggingMiddleware,
    current_exchange,
    instrument_fastapi,
    request_options,
)
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.bodies import REQUEST_BODY, RESPONSE_BODY
from fapilog_instrumentation_fastapi.contents import UnreadableError, complete, content
from instrumentation.fastapi.tests.calling import Wire, client, scope

SETTINGS = RequestLogging(spans="none")
ALWAYS = {"request_body": "always", "response_body": "always"}
PASSWORD = "hunter" + "2"


def shop(**capture: Any) -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request, status: int = 200) -> Response:
        kind = request.headers.get("content-type", "application/octet-stream")
        return Response(await request.body(), status, media_type=kind, headers={"X-Kind": "echo"})

    @app.post("/fail")
    async def fail(request: Request) -> None:
        await request.body()
        raise RuntimeError("no")

    @app.post("/unread")
    async def unread() -> Response:
        response = JSONResponse({"ok": True})
        response.set_cookie("session", "s-1")
        response.set_cookie("more", "m-1")
        return response

    return instrument_fastapi(app, SETTINGS, capture=capture)


async def ask(app: Any, logs: CapturedLogs, path: str = "/echo", **request: Any) -> dict[str, Any]:
    """Ask with a body; returns what the access record has of headers and bodies."""
    async with client(app) as http:
        answer = await http.post(path, **request)
    sent = request.get("content")
    if isinstance(sent, bytes) and path == "/echo":
        assert answer.content == sent
    record = logs.find_all(event_name=HTTP_EVENT)[-1]
    prefixes = (REQUEST_BODY, RESPONSE_BODY, "http.request.header.", "http.response.header.")
    return {key: value for key, value in record.attributes.items() if key.startswith(prefixes)}


async def test_nothing_is_captured_unasked(fapilog_logs: CapturedLogs):
    assert await ask(shop(), fapilog_logs, json={"a": 1}) == {}


async def test_json_is_nested_so_that_secret_keys_are_hidden(fapilog_logs: CapturedLogs):
    body = {"user": {"password": PASSWORD, "name": "Ada"}, "items": [1, {"api_key": PASSWORD}]}
    hidden = {
        "user": {"password": "[REDACTED:secret]", "name": "Ada"},
        "items": [1, {"api_key": "[REDACTED:secret]"}],
    }
    assert await ask(shop(**ALWAYS), fapilog_logs, json=body) == {REQUEST_BODY: hidden, RESPONSE_BODY: hidden}


async def test_forms_are_nested_too(fapilog_logs: CapturedLogs):
    found = await ask(
        shop(request_body="always"), fapilog_logs, data={"password": PASSWORD, "tea": ["green", "black"]}
    )
    assert found == {REQUEST_BODY: {"password": "[REDACTED:secret]", "tea": ["green", "black"]}}


@pytest.mark.parametrize(
    ("kind", "types", "expected"),
    [
        ("text/plain; charset=latin-1", ["text/*"], {REQUEST_BODY: "caf\xe9"}),
        ("text/plain; charset=nonsense", ["text/plain"], {REQUEST_BODY: "caf\ufffd"}),
        ("text/plain", None, {}),
        ("multipart/form-data; boundary=x", None, {}),
        ("", ["*/*"], {}),
    ],
)
async def test_other_types_are_text_when_asked(
    kind: str, types: Any, expected: dict[str, Any], fapilog_logs: CapturedLogs
):
    capture = {"request_body": "always"} | ({"body_types": types} if types else {})
    found = await ask(shop(**capture), fapilog_logs, content=b"caf\xe9", headers={"content-type": kind})
    assert found == expected


async def test_a_body_that_is_cut_says_so_and_keeps_complete_members(fapilog_logs: CapturedLogs):
    body = {"first": 1, "list": [1, 2, {"deep": "x"}], "password": "x" * 5_000}
    found = await ask(shop(request_body="always", body_bytes=64), fapilog_logs, json=body)
    assert found == {
        REQUEST_BODY: {"first": 1, "list": [1, 2, {"deep": "x"}]},
        f"{REQUEST_BODY}.cut": True,
    }
    found = await ask(
        shop(request_body="always", body_bytes=10), fapilog_logs, data={"a": "1", "password": PASSWORD}
    )
    assert found == {REQUEST_BODY: {"a": "1"}, f"{REQUEST_BODY}.cut": True}


@pytest.mark.parametrize("data", [b'{"password": "hunter', b"[" * 3_000, b'{"a": 1} {"b"', b"\xff\xfe"])
async def test_json_that_cannot_be_read_is_not_shown(data: bytes, fapilog_logs: CapturedLogs):
    headers = {"content-type": "application/json"}
    found = await ask(shop(request_body="always"), fapilog_logs, content=data, headers=headers)
    assert found == {f"{REQUEST_BODY}.unreadable": True}


async def test_a_compressed_body_is_not_shown(fapilog_logs: CapturedLogs):
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert await ask(shop(**ALWAYS), fapilog_logs, "/unread", content=b"{}", headers=headers) == {
        RESPONSE_BODY: {"ok": True}
    }


@pytest.mark.parametrize(
    ("path", "is_shown"), [("/echo", False), ("/echo?status=404", True), ("/fail", True)]
)
async def test_bodies_may_be_for_failures_only(path: str, is_shown: bool, fapilog_logs: CapturedLogs):
    app = shop(request_body="error", response_body="error")
    found = await ask(app, fapilog_logs, path, json={"a": 1})
    assert (found.get(REQUEST_BODY) == {"a": 1}) is is_shown
    if path == "/echo?status=404":
        assert found[RESPONSE_BODY] == {"a": 1}


async def test_headers_are_lists_of_texts_and_only_those_that_are_allowed(fapilog_logs: CapturedLogs):
    app = shop(request_headers=["X-*", "accept"], response_headers=["x-kind"])
    headers = [("X-One", "1"), ("x-one", "2"), ("X-Api-Key", PASSWORD), ("Accept", "a/b"), ("Other", "o")]
    assert await ask(app, fapilog_logs, headers=headers) == {
        "http.request.header.x-one": ["1", "2"],
        "http.request.header.x-api-key": "[REDACTED:secret]",
        "http.request.header.accept": ["a/b"],
        "http.response.header.x-kind": ["echo"],
    }


async def test_credentials_come_by_their_full_name_only_and_are_hidden_even_then(fapilog_logs: CapturedLogs):
    headers = {"Authorization": f"Bearer {PASSWORD}", "Cookie": f"session={PASSWORD}", "X-One": "1"}
    every = await ask(
        shop(request_headers=["*"], response_headers=["*"]), fapilog_logs, "/unread", headers=headers
    )
    assert "http.request.header.x-one" in every
    assert "http.response.header.content-type" in every
    assert [key for key in every if "authorization" in key or "cookie" in key] == []
    named = await ask(
        shop(request_headers=["authorization", "cookie"], response_headers=["set-cookie"]),
        fapilog_logs,
        "/unread",
        headers=headers,
    )
    assert set(named) == {
        "http.request.header.authorization",
        "http.request.header.cookie",
        "http.response.header.set-cookie",
    }
    assert PASSWORD not in repr(named)


async def test_a_route_may_ask_for_bodies_after_the_application_was_instrumented(
    fapilog_logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fapilog_instrumentation_fastapi.route_options._is_capturing", False)
    app = shop()

    @app.post("/asked")
    @request_options(request_body="always", request_headers=("x-one",))
    async def asked(body: dict[str, int]) -> None: ...

    found = await ask(app, fapilog_logs, "/asked", json={"a": 1}, headers={"X-One": "1"})
    assert found == {REQUEST_BODY: {"a": 1}, "http.request.header.x-one": ["1"]}
    assert await ask(app, fapilog_logs, json={"a": 1}) == {}


async def test_a_stream_is_passed_on_part_by_part_and_its_beginning_kept(fapilog_logs: CapturedLogs):
    parts = [b"data: " + bytes([97 + n]) * 10 + b"\n\n" for n in range(5)]

    async def events() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    app = RequestLoggingMiddleware(
        StreamingResponse(events(), media_type="text/event-stream"),
        RequestLogging(capture={"response_body": "always", "body_types": ["text/*"], "body_bytes": 20}),
    )
    wire = Wire()
    await app(scope(), wire.receive, wire.send)
    assert [m["body"] for m in wire.sent if m["type"] == "http.response.body"] == [*parts, b""]
    record = fapilog_logs.find(event_name=HTTP_EVENT)
    assert record.attributes[RESPONSE_BODY] == b"".join(parts)[:20].decode()
    assert record.attributes[f"{RESPONSE_BODY}.cut"] is True


async def test_a_large_body_takes_no_more_memory_than_its_limit(fapilog_logs: CapturedLogs):
    chunk = b"[" + b"1," * 500_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    served = RequestLoggingMiddleware(app, RequestLogging(capture={"request_body": "always"}))
    messages = [{"type": "http.request", "body": chunk, "more_body": n < 49} for n in range(50)]
    wire = Wire(*messages)
    headers = [(b"content-type", b"application/json")]
    tracemalloc.start()
    await served(scope(method="POST", headers=headers), wire.receive, wire.send)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    record = fapilog_logs.find(event_name=HTTP_EVENT)
    assert record.attributes["http.request.body.size"] == 50 * len(chunk)
    assert record.attributes[REQUEST_BODY] == [1] * 2_047
    assert peak < 4 * len(chunk)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def is_beginning(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and is_beginning(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(map(is_beginning, part, whole))
    return bool(part == whole)


@settings(max_examples=60)
@given(
    document=st.lists(JSON) | st.dictionaries(st.text(), JSON), share=st.floats(0, 1), spaced=st.booleans()
)
def test_the_beginning_of_any_json_document_can_be_read(document: Any, share: float, spaced: bool):
    text = json.dumps(document, ensure_ascii=False, indent=1 if spaced else None)
    cut = text[: max(1, int(len(text) * share))]
    found = json.loads(complete(cut))
    assert is_beginning(found, document)
    if cut == text:
        assert found == document


@given(
    data=st.binary(max_size=200),
    kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain"]),
    is_cut=st.booleans(),
)
def test_any_bytes_are_content_or_unreadable(data: bytes, kind: str, is_cut: bool):
    with suppress(UnreadableError):
        assert content(data, kind, "utf-8", is_cut) is not Ellipsis


def test_json_that_opens_all_the_time_is_read_in_time():
    opened = 200_000
    assert complete("[" * opened) == "[" * opened + "]" * opened
    with pytest.raises(UnreadableError):
        content(b"[" * opened, "application/json", "utf-8", True)


async def test_charsets_are_few_and_others_count_as_utf_8(fapilog_logs: CapturedLogs):
    app = shop(**ALWAYS, body_types=["text/*"])
    before = dict(encodings._cache)
    shown = {}
    for charset in ("utf-16", "ISO-8859-1", "punycode", "made-up-1", "utf-8"):
        kind = {"content-type": f"text/plain; charset={charset}"}
        sent = "tea \u00e9".encode({"utf-16": "utf-16", "ISO-8859-1": "latin-1"}.get(charset, "utf-8"))
        attributes = await ask(app, fapilog_logs, content=sent, headers=kind)
        shown[charset] = attributes[REQUEST_BODY]
        fapilog_logs.clear()
    assert set(shown.values()) == {"tea \u00e9"}
    assert {"punycode", "made_up_1", "made-up-1"}.isdisjoint(encodings._cache.keys() - before.keys())


async def test_secrets_in_addresses_of_headers_are_hidden_as_in_the_query(fapilog_logs: CapturedLogs):
    async def app(asked: Any, receive: Any, send: Any) -> None:
        to = b"/done?page=2&code=" + PASSWORD.encode() + b"#access_token=" + PASSWORD.encode()
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", to)]})
        await send({"type": "http.response.body", "body": b""})

    capture = {"request_headers": ["referer"], "response_headers": ["location"]}
    referer = b"https://shop.example/reset?token=" + PASSWORD.encode()
    middleware = RequestLoggingMiddleware(app, RequestLogging(spans="none", capture=capture))
    await middleware(scope(headers=[(b"referer", referer)]), Wire().receive, Wire().send)
    [record] = fapilog_logs.find_all(event_name=HTTP_EVENT)
    hidden = "[REDACTED:secret]"
    assert [
        record.attributes[f"http.{name}"] for name in ("request.header.referer", "response.header.location")
    ] == [
        [f"https://shop.example/reset?token={hidden}"],
        [f"/done?page=2&code={hidden}#access_token={hidden}"],
    ]


async def test_a_task_that_outlives_its_request_keeps_no_body(fapilog_logs: CapturedLogs):
    app, tasks, left, exchanges = FastAPI(), [], asyncio.Event(), []

    @app.post("/start")
    async def start(request: Request) -> None:
        await request.body()
        exchanges.append(current_exchange())
        tasks.append(asyncio.create_task(left.wait()))

    instrument_fastapi(app, SETTINGS, capture=ALWAYS)
    async with client(app) as http:
        await http.post("/start", json={"password": PASSWORD})
    [exchange] = exchanges
    assert (exchange.on_receive, exchange.on_send, exchange.copies) == (None, None, None)
    left.set()
    await asyncio.gather(*tasks)
