"""With `minimise`, what fapilog itself measures of a request stays, and what quotes others is left out."""

from typing import Any

from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient

import fapilog
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import instrument_fastapi
from fapilog_instrumentation_fastapi.access import DURATION, HTTP_EVENT, WEBSOCKET_EVENT


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    def read(order_id: int) -> int:
        if order_id == 0:
            raise HTTPException(503, "no stock for ann@example.org") from ValueError("none")
        return order_id

    @app.websocket("/room")
    async def room(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close(1000)

    return instrument_fastapi(app, spans="none", access={"slow_seconds": 1e-9})


def ours(logs: CapturedLogs, event_name: str) -> list[dict[str, Any]]:
    """The attributes of fapilog, without what every record has, and what differs from run to run."""
    common = {"fapilog.correlation_id", "fapilog.sequence", "fapilog.dropped_keys", DURATION}
    return [
        {
            name: value
            for name, value in record.attributes.items()
            if name.startswith("fapilog.") and name not in common
        }
        for record in logs.find_all(event_name=event_name)
    ]


def test_what_fapilog_measures_of_a_request_stays_and_what_quotes_is_left_out(fapilog_logs: CapturedLogs):
    with fapilog.configure_otel("shop", exporters=["none"], minimise=True), TestClient(shop()) as http:
        http.get("/orders/1")
        http.get("/orders/none")
        http.get("/orders/0")
        with http.websocket_connect("/room") as socket:
            socket.receive_text()
    accesses = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert [record.attributes[DURATION] > 0 for record in accesses] == [True] * 3
    assert [record.attributes["fapilog.dropped_keys"] > 0 for record in accesses] == [True] * 3
    assert ours(fapilog_logs, HTTP_EVENT) == [{"fapilog.http.slow": True}] * 3
    [websocket] = ours(fapilog_logs, WEBSOCKET_EVENT)
    assert websocket == {
        "fapilog.websocket.received_messages": 0,
        "fapilog.websocket.sent_messages": 1,
        "fapilog.websocket.close_code": 1000,
    }
    assert ours(fapilog_logs, "fapilog.http.server.validation_failed") == [
        {"fapilog.validation.error_count": 1}
    ]
    assert ours(fapilog_logs, "fapilog.http.server.http_exception") == [{"fapilog.http.cause": "ValueError"}]
