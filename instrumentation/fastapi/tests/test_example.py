"""examples/fastapi_app, asked for everything that it has: records by request, and no secret leaves."""

from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

import fapilog
from examples.fastapi_app import create_app
from fapilog.testing import NoLeaks
from fapilog_instrumentation_fastapi.testing import RequestLogs
from instrumentation.fastapi.tests.calling import client

CARD, TOKEN = "4111 1111 1111 1111", "secret-" + "of-the-test"
ORDER = {"customer": "ann@example.com", "card": CARD, "item": "tea"}


@pytest.fixture
def shop() -> Any:
    with (
        fapilog.configure_otel(exporters=["none"], redaction="scan", level="debug"),
        TestClient(create_app(), raise_server_exceptions=False) as http,
    ):
        yield http


def bodies(requests: RequestLogs, answer: Any) -> list[Any]:
    return [record.body for record in requests.of(answer)]


def test_every_record_of_a_mixed_load_belongs_to_its_request_and_none_holds_a_secret(
    no_leaks: NoLeaks, shop: TestClient, fapilog_requests: RequestLogs
):
    no_leaks.watch(CARD, TOKEN, customer=ORDER["customer"])
    login = {"user": "ann", "password": TOKEN}
    authorization = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"session={TOKEN}"}
    answers = [
        shop.post("/orders", json=ORDER),
        shop.post("/orders", json={**ORDER, "card": f"{CARD}!"}),
        shop.get("/orders/1", headers={"X-User": "u-7"}),
        shop.get(f"/orders/99?card={CARD}"),
        shop.get("/orders"),
        shop.post("/orders/1/payment", headers={"X-Card": CARD}),
        shop.post("/login", json=login, headers=authorization),
        shop.get("/stock/tea"),
    ]
    with shop.websocket_connect("/orders/1/news", headers={"X-Correlation-ID": "w-1"}) as socket:
        socket.send_text(f"I paid with {CARD}")
        socket.receive_text()
    assert [answer.status_code for answer in answers] == [201, 422, 200, 404, 200, 500, 200, 200]
    assert shop.get("/healthz").json() == {"status": "ok"}
    fapilog_requests.check(*answers, "w-1", same=["order_id", "user.id"])
    assert "fapilog.http.server.validation_failed" in {
        record.event_name for record in fapilog_requests.of(answers[1])
    }
    failed = [
        record.event_name for record in fapilog_requests.of(answers[5]) if record.severity_text == "ERROR"
    ]
    assert sorted(failed) == ["fapilog.http.server.request", "http.server.request.exception"]
    assert fapilog_requests.access(answers[2]).attributes["user.id"] == "u-7"


def test_the_record_of_a_background_task_is_the_requests_although_the_response_is_gone(
    shop: TestClient, fapilog_requests: RequestLogs
):
    found = bodies(fapilog_requests, shop.post("/orders", json=ORDER))
    assert "receipt of order 1 sent to [REDACTED:email]" in found


async def test_two_services_have_one_id_for_one_request(fapilog_requests: RequestLogs):
    async with (
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=create_app()), base_url="http://warehouse"
        ) as inside,
        client(create_app(warehouse=inside)) as http,
    ):
        answer = await http.get("/stock/tea", headers={"X-Correlation-ID": "order-7"})
    assert answer.json() == {"tea": 1}
    found = [record.attributes.get("server.address") for record in fapilog_requests.of("order-7")]
    assert [address for address in found if address] == ["warehouse", "shop.example"]
