"""What was done to an application, and to those mounted in it, is taken back as a whole."""

import asyncio
import logging
from typing import Any

import fastapi
import pytest
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as ContribInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import (
    FastAPIInstrumentor,
    instrument_fastapi,
    uninstrument_fastapi,
)
from fapilog_instrumentation_fastapi.failures import _pass_on
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from instrumentation.fastapi.tests.calling import client

SPANS = InMemorySpanExporter()
TRACER = TracerProvider()
TRACER.add_span_processor(SimpleSpanProcessor(SPANS))


def spans_of(app: Any) -> int:
    """How many server spans a request makes."""

    async def ask() -> None:
        async with client(app) as http:
            assert (await http.get("/x")).status_code == 200

    SPANS.clear()
    asyncio.run(ask())
    return [span.kind.name for span in SPANS.get_finished_spans()].count("SERVER")


def shop() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/x")
    async def x() -> int:
        return 1

    return app


@pytest.mark.parametrize("first", ["none", "native", "contrib", "auto"])
@pytest.mark.parametrize("then", ["native", "contrib", "auto"])
def test_spans_may_be_chosen_again_after_it_was_taken_back(first: Any, then: Any, fapilog_logs: CapturedLogs):
    app = shop()
    before = dict(app._telemetry)
    instrument_fastapi(app, spans=first, tracer_provider=TRACER)
    assert spans_of(app) == (first != "none")
    uninstrument_fastapi(app)
    assert app._telemetry == before
    assert spans_of(app) == 0
    instrument_fastapi(app, spans=then, tracer_provider=TRACER)
    assert spans_of(app) == 1
    assert instrumented(app).spans.made_by == ("contrib" if then == "auto" else then)


def test_mounted_applications_have_their_handlers_again(fapilog_logs: CapturedLogs):
    app, inner = shop(), fastapi.FastAPI()
    app.mount("/inner", inner)
    before = dict(inner.exception_handlers), dict(inner._telemetry)
    instrument_fastapi(app, spans="none")
    spans_of(app)
    app.middleware_stack = None
    spans_of(app)

    @inner.exception_handler(LookupError)
    async def answer(*_: Any) -> None: ...

    uninstrument_fastapi(app)
    assert inner.exception_handlers.pop(LookupError) is answer
    assert (inner.exception_handlers, inner._telemetry) == before


def test_the_loggers_of_servers_have_no_filter_when_no_application_needs_it(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("fapilog_instrumentation_fastapi.failures._writing", set())
    one, two = (instrument_fastapi(shop(), spans="none") for _ in range(2))
    filters = logging.getLogger("uvicorn.error").filters
    uninstrument_fastapi(one)
    assert _pass_on in filters
    uninstrument_fastapi(two)
    assert _pass_on not in filters


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_class_is_as_it_was_when_contribs_instrumentor_came_and_went(ours_first: bool):
    before, initialise = fastapi.FastAPI, fastapi.FastAPI.__init__
    ours, theirs = FastAPIInstrumentor(), ContribInstrumentor()
    both = [ours, theirs] if ours_first else [theirs, ours]
    for each in both:
        each.instrument()
    for each in both:
        each.uninstrument()
    assert (fastapi.FastAPI, fastapi.FastAPI.__init__) == (before, initialise)
    assert instrumented(fastapi.FastAPI()) is None


def test_one_that_somebody_wrapped_does_nothing_after_it_was_taken_back():
    initialise = fastapi.FastAPI.__init__
    instrumentor = FastAPIInstrumentor()
    instrumentor.instrument()
    wrapped = fastapi.FastAPI.__init__

    def around(app: Any, *args: Any, **kwargs: Any) -> None:
        wrapped(app, *args, **kwargs)

    try:
        fastapi.FastAPI.__init__ = around  # type: ignore[method-assign]
        instrumentor.uninstrument()
        assert instrumented(fastapi.FastAPI()) is None
    finally:
        fastapi.FastAPI.__init__ = initialise  # type: ignore[method-assign]
