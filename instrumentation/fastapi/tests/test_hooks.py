"""Hooks are called and never hurt; debug records of failed requests leave; a blocked loop is told."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Response
from opentelemetry.sdk.trace import TracerProvider

import fapilog
from fapilog.exporters import memory
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import (
    Exchange,
    Hooks,
    RequestLogging,
    RequestLoggingMiddleware,
    current_exchange,
    instrument_fastapi,
)
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.blocking import COUNT, EVENT, REQUESTS, SECONDS, SUPPRESSED
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from instrumentation.fastapi.tests.calling import client

SETTINGS = RequestLogging(spans="none")


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int) -> int:
        if order_id == 0:
            raise LookupError("no such order")
        return order_id

    return app


async def test_hooks_see_the_request_the_response_and_the_exception_and_may_add_attributes(
    fapilog_logs: CapturedLogs,
):
    seen: list[tuple[Any, ...]] = []

    def on_request(exchange: Exchange) -> None:
        seen.append(("request", exchange.path, exchange.correlation_id, exchange is current_exchange()))
        exchange.add({"shop.tier": "gold"})

    def on_response(exchange: Exchange) -> None:
        seen.append(("response", exchange.route, exchange.status))
        exchange.add({"shop.items": 3})

    def on_exception(exchange: Exchange) -> None:
        seen.append(("exception", type(exchange.error).__name__))

    app = instrument_fastapi(shop(), SETTINGS, hooks=Hooks(on_request, on_response, on_exception))
    async with client(app) as http:
        for order in (1, 0):
            await http.get(f"/orders/{order}", headers={"X-Request-ID": "r"})
    assert seen == [
        ("request", "/orders/1", "r", True),
        ("response", "/orders/{order_id}", 200),
        ("request", "/orders/0", "r", True),
        ("exception", "LookupError"),
        ("response", "/orders/{order_id}", 500),
    ]
    for record in fapilog_logs.find_all(event_name=HTTP_EVENT):
        assert (record.attributes["shop.tier"], record.attributes["shop.items"]) == ("gold", 3)


async def test_what_a_hook_raises_is_counted_and_changes_nothing(fapilog_logs: CapturedLogs):
    def fail(exchange: Exchange) -> None:
        raise ValueError("a hook")

    app = instrument_fastapi(shop(), SETTINGS, hooks=Hooks(fail, fail, fail))
    async with client(app) as http:
        assert [(await http.get(f"/orders/{order}")).status_code for order in (1, 0)] == [200, 500]
    assert len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 2
    known = instrumented(app)
    assert known is not None
    assert (known.plan.own_errors.count, known.plan.own_errors.last) == (5, "on_response: ValueError: a hook")


async def test_the_middleware_alone_has_hooks_too(fapilog_logs: CapturedLogs):
    hooks = Hooks(on_response=lambda exchange: exchange.add({"a": 1}))
    async with client(RequestLoggingMiddleware(shop(), SETTINGS, hooks=hooks)) as http:
        await http.get("/orders/1")
    assert fapilog_logs.find(event_name=HTTP_EVENT).attributes["a"] == 1


def test_a_hook_that_cannot_be_called_in_between_is_refused():
    async def later(exchange: Exchange) -> None: ...

    for hook in (later, "text"):
        with pytest.raises(fapilog.ConfigurationError, match="on_response is no sync function"):
            Hooks(on_response=hook)  # type: ignore[arg-type]


@pytest.fixture
def provider() -> Iterator[fapilog.LoggerProvider]:
    settings = fapilog.Settings.load(environ={}, flight_recorder={"enabled": True})
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as made:
        yield made


@pytest.mark.parametrize(
    ("options", "statuses", "left"),
    [
        # The span of a 503 fails, which lets the records out by itself.
        ({"access": {"enabled": False}}, [200, 422, 503], [503]),
        (
            {"access": {"enabled": False}, "watch": {"recorder_statuses": ["422"]}},
            [200, 422, 503],
            [422, 503],
        ),
        ({"access": {"slow_seconds": 1e-9}}, [200], [200]),
        ({}, [200, 422], []),
    ],
)
async def test_debug_records_leave_for_requests_that_failed_or_were_slow(
    options: dict[str, Any], statuses: list[int], left: list[int], provider: fapilog.LoggerProvider
):
    spans = TracerProvider()
    spans.add_span_processor(fapilog.FlightRecorderSpanProcessor(provider))
    log = provider.logger("shop")
    app = FastAPI()

    @app.get("/{status}")
    async def answer(status: int) -> Any:
        log.debug("detail", asked=status)
        return Response(status_code=status)

    instrument_fastapi(
        app,
        RequestLogging(spans="contrib"),
        logger_provider=provider,
        tracer_provider=spans,
        exceptions={"http": []},
        **options,
    )
    async with client(app) as http:
        for status in statuses:
            assert (await http.get(f"/{status}")).status_code == status
    assert provider.force_flush()
    records = [each.log_record for each in memory.newest().get_finished_logs()]
    assert [r.attributes["asked"] for r in records if r.body == "detail"] == left
    spans.shutdown()


async def until(logs: CapturedLogs, event: str) -> Any:
    deadline = time.monotonic() + 10
    while not logs.find_all(event_name=event) and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
    return logs.find_all(event_name=event)[-1]


def blocking(**watch: Any) -> FastAPI:
    app = shop()

    @app.get("/block/{millis}")
    async def block(millis: int) -> None:
        time.sleep(millis / 1_000)  # what is to be found

    @app.get("/wait")
    async def wait() -> None:
        await asyncio.sleep(0.2)

    return instrument_fastapi(app, SETTINGS, watch=watch)


async def test_a_blocked_loop_is_a_warning_with_the_request(fapilog_logs: CapturedLogs):
    async with client(blocking(blocked_seconds=0.05)) as http:
        await http.get("/block/150", headers={"X-Request-ID": "r-1"})
        record = await until(fapilog_logs, EVENT)
    named = {
        "fapilog.correlation_id": "r-1",
        "http.request.method": "GET",
        "http.route": "/block/{millis}",
    }
    assert record.severity_text == "WARN"
    assert record.attributes.pop(SECONDS) >= 0.05
    assert record.attributes == {COUNT: 1, REQUESTS: [named], **named}


async def test_several_requests_under_way_are_all_named_and_records_are_rare(fapilog_logs: CapturedLogs):
    app = blocking(blocked_seconds=0.05)
    async with client(app) as http:
        waiting = asyncio.ensure_future(http.get("/wait"))
        await asyncio.sleep(0)
        await http.get("/block/100")
        record = await until(fapilog_logs, EVENT)
        await http.get("/block/100")
        await waiting
        await asyncio.sleep(0.02)
    assert {each["http.route"] for each in record.attributes[REQUESTS]} >= {"/block/{millis}"}
    assert "http.route" not in record.attributes or record.attributes[COUNT] == 1
    assert len(fapilog_logs.find_all(event_name=EVENT)) == 1
    assert SUPPRESSED not in record.attributes


async def test_a_request_that_waits_blocks_nothing_and_nothing_runs_without_requests(
    fapilog_logs: CapturedLogs,
):
    app = blocking(blocked_seconds=5)
    async with client(app) as http:
        await http.get("/wait")
    assert fapilog_logs.find_all(event_name=EVENT) == []


async def test_a_request_that_a_task_outlives_is_under_way_no_more():
    app, tasks, left = blocking(blocked_seconds=5), [], asyncio.Event()

    @app.get("/start")
    async def start() -> None:
        tasks.append(asyncio.create_task(left.wait()))

    async with client(app) as http:
        await http.get("/start")
    [ended] = instrumented(app).plan.on_leave
    [beat] = ended.__self__._beats.values()
    assert list(beat.under_way) == []
    left.set()
    await asyncio.gather(*tasks)
