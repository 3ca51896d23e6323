"""A FastAPI application under OpenTelemetry's own instrumentation: what arrives of requests that fail."""

import asyncio
import itertools
import logging

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from fapilog import FlightRecorderSpanProcessor, Logger, LoggerProvider, Settings
from fapilog.bridges import stdlib
from fapilog.testing import OtlpReceiver

REQUESTS = 60
DEADLINE_MILLIS = 30_000


def application(log: Logger) -> FastAPI:
    """Answer an application whose requests interleave, and log in tasks of their own, too."""
    app = FastAPI()
    old = logging.getLogger("shop.old")

    async def price(order_id: int) -> None:
        await asyncio.sleep(0)
        log.debug("priced", order_id=order_id)

    @app.get("/orders/{order_id}")
    async def read_order(order_id: int) -> dict[str, int]:
        log.debug("received", order_id=order_id)
        await asyncio.sleep(0)
        await asyncio.create_task(price(order_id))
        old.debug("looked up %s", order_id)
        if order_id % 10 == 3:
            raise LookupError(order_id)
        if order_id % 10 == 7:
            log.error("refused", order_id=order_id)
        log.debug("answered", order_id=order_id)
        return {"order_id": order_id}

    return app


async def ask(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        await asyncio.gather(*(client.get(f"/orders/{number}") for number in range(REQUESTS)))


@pytest.fixture
def shop():
    """A receiver, a provider with a flight recorder, and an instrumented application that logs to it."""
    with OtlpReceiver() as receiver:
        settings = Settings.load(
            environ={}, otlp={"endpoint": receiver.logs_endpoint}, flight_recorder={"enabled": True}
        )
        provider = LoggerProvider(Resource.get_empty(), settings=settings)
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(FlightRecorderSpanProcessor(provider))
        app = application(Logger(provider.handle, "shop"))
        FastAPIInstrumentor.instrument_app(app, tracer_provider=tracers)
        remove = stdlib.install(provider.handle)
        try:
            yield receiver, provider, app
        finally:
            remove()
            FastAPIInstrumentor.uninstrument_app(app)
            provider.shutdown()


def test_exactly_the_records_of_failed_requests_arrive_in_the_order_of_their_calls(shop):
    receiver, provider, app = shop
    asyncio.run(ask(app))
    failed, refused = range(3, REQUESTS, 10), range(7, REQUESTS, 10)
    expected = {number: ["received", "priced", f"looked up {number}"] for number in failed}
    expected |= {
        number: ["received", "priced", f"looked up {number}", "refused", "answered"] for number in refused
    }
    assert provider.force_flush(DEADLINE_MILLIS)
    ours = [record for record in receiver.log_records if record.scope_name.startswith("shop")]
    by_trace: dict[str, list] = {}
    for record in ours:
        by_trace.setdefault(record.trace_id, []).append(record)
    found = {}
    for records in by_trace.values():
        records.sort(key=lambda record: record.attributes["fapilog.sequence"])
        number = next(r.attributes["order_id"] for r in records if "order_id" in r.attributes)
        found[number] = [record.body for record in records]
        befores = [
            r.attributes["fapilog.before_sequence"]
            for r in records
            if "fapilog.before_sequence" in r.attributes
        ]
        times = [record.time_unix_nano for record in records]
        assert befores == sorted(befores)
        assert all(later - earlier > -1_000_000 for earlier, later in itertools.pairwise(times))
    assert found == expected
    sequence = sorted(record.attributes["fapilog.sequence"] for record in receiver.log_records)
    assert sequence == list(range(len(sequence)))
    ledger = provider.ledger()
    assert ledger.balanced
    assert ledger.recorded == 0
