"""How a WebSocket connection ended is judged by what this side did; how long it stayed counts for nothing."""

from typing import Any

import pytest

from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware
from fapilog_instrumentation_fastapi.access import WEBSOCKET_EVENT
from instrumentation.fastapi.tests.calling import Wire, scope

CODE = "fapilog.websocket.close_code"


def left(code: int) -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": code}


async def served(*messages: Any, closes: int | None = None, access: Any = None) -> None:
    """Accept, receive until the client leaves or nothing waits, close."""

    async def app(asked: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in messages:
            await receive()
        if closes is not None:
            await send({"type": "websocket.close", "code": closes})
            await receive()

    settings = RequestLogging(spans="none", access=access or {})
    wire = Wire({"type": "websocket.connect"}, *messages, left(closes or 1000))
    await RequestLoggingMiddleware(app, settings)({**scope(), "type": "websocket"}, wire.receive, wire.send)


@pytest.mark.parametrize(
    ("messages", "closes", "expected"),
    [
        ([left(4009)], 1000, ("INFO", 4009, None)),
        ([left(1011)], None, ("INFO", 1011, None)),
        ([left(1013)], 1000, ("INFO", 1013, None)),
        ([left(1000)], 1011, ("INFO", 1000, None)),
        ([], 1011, ("ERROR", 1011, "1011")),
        ([], 1000, ("INFO", 1000, None)),
    ],
)
async def test_the_first_code_counts_and_only_ours_is_an_error(
    messages: list[Any], closes: int | None, expected: Any, fapilog_logs: CapturedLogs
):
    await served(*messages, closes=closes)
    [record] = fapilog_logs.find_all(event_name=WEBSOCKET_EVENT)
    attributes = record.attributes
    assert (record.severity_text, attributes[CODE], attributes.get("error.type")) == expected


async def test_a_connection_is_never_slow_and_is_sampled(fapilog_logs: CapturedLogs):
    await served(left(1000), access={"slow_seconds": 1e-9})
    await served(left(1000), access={"slow_seconds": 1e-9, "sample_ratio": 0.0})
    [record] = fapilog_logs.find_all(event_name=WEBSOCKET_EVENT)
    assert "fapilog.http.slow" not in record.attributes
