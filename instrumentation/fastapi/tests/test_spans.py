"""The server span is made once, by contrib or by FastAPI, and the access record is inside it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as ContribInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fapilog.errors import ConfigurationError
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import instrument_fastapi, uninstrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.handlers import chain
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from fapilog_instrumentation_fastapi.middleware import RequestLoggingMiddleware

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Spans:
    """A tracer provider and what it made."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def servers(self) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is SpanKind.SERVER]


@pytest.fixture
def spans() -> Iterator[Spans]:
    made = Spans()
    yield made
    made.provider.shutdown()


def shop(**arguments: Any) -> FastAPI:
    app = FastAPI(**arguments)

    @app.get("/orders/{order_id}")
    async def read(order_id: int) -> int:
        if order_id == 0:
            raise LookupError("no such order")
        return order_id

    return app


def ask(app: Any, path: str = "/orders/42", lifespan: bool = False) -> int:
    client = TestClient(app, raise_server_exceptions=False)
    if not lifespan:
        return client.get(path, headers=HEADERS).status_code
    with client:
        return client.get(path, headers=HEADERS).status_code


def assert_one_span_around_one_record(spans: Spans, logs: CapturedLogs, scope: str) -> None:
    [server] = spans.servers
    [record] = logs.find_all(event_name=HTTP_EVENT)
    context = server.get_span_context()
    assert (record.trace_id, record.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert record.trace_id == TRACE
    assert record.attributes["fapilog.correlation_id"] == TRACE
    assert server.instrumentation_scope.name == scope


CONTRIB, NATIVE = "opentelemetry.instrumentation.fastapi", "fastapi"


def test_contrib_makes_the_span_where_nobody_asked_for_another(spans: Spans, fapilog_logs: CapturedLogs):
    app = instrument_fastapi(shop(), tracer_provider=spans.provider)
    assert ask(app) == 200
    assert_one_span_around_one_record(spans, fapilog_logs, CONTRIB)
    assert instrumented(app).spans.made_by == "contrib"


def test_fastapi_makes_the_span_where_the_application_configures_its_telemetry(
    spans: Spans, fapilog_logs: CapturedLogs
):
    app = instrument_fastapi(shop(telemetry={"tracer_provider": spans.provider}))
    assert ask(app) == 200
    assert_one_span_around_one_record(spans, fapilog_logs, NATIVE)


def test_fastapi_makes_the_span_with_our_provider_where_the_settings_say_so(
    spans: Spans, fapilog_logs: CapturedLogs
):
    app = instrument_fastapi(shop(), tracer_provider=spans.provider, spans="native")
    assert ask(app) == 200
    assert_one_span_around_one_record(spans, fapilog_logs, NATIVE)


def test_nobody_makes_a_span_where_the_settings_say_none(
    spans: Spans, configure: Callable[..., Any], fapilog_logs: CapturedLogs
):
    telemetry = configure(redaction="keys")
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    assert ask(instrument_fastapi(shop(), spans="none")) == 200
    assert spans.servers == []


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("lifespan", [True, False])
def test_an_application_that_is_instrumented_by_hand_keeps_that_span_alone(
    ours_first: bool, lifespan: bool, spans: Spans, fapilog_logs: CapturedLogs
):
    app, steps = shop(), [instrument_fastapi, ContribInstrumentor.instrument_app]
    for step in steps if ours_first else reversed(steps):
        options = {"tracer_provider": spans.provider} if step is not instrument_fastapi else {}
        step(app, **options)
    assert ask(app, lifespan=lifespan) == 200
    assert_one_span_around_one_record(spans, fapilog_logs, CONTRIB)
    assert ask(app) == 200
    assert len(spans.servers) == len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 2


@pytest.mark.parametrize("ours_first", [True, False])
def test_ours_stands_inside_the_span_and_outside_of_the_errors_middleware(ours_first: bool, spans: Spans):
    app, steps = shop(), [instrument_fastapi, ContribInstrumentor.instrument_app]
    for step in steps if ours_first else reversed(steps):
        step(app)
    ask(app, lifespan=True)
    kinds = [type(each).__name__ for each in chain(app.middleware_stack)]
    assert kinds[1:4] == ["OpenTelemetryMiddleware", "RequestLoggingMiddleware", "ServerErrorMiddleware"]
    assert ask(app, "/orders/0") == 500


def test_opentelemetrys_middleware_among_the_applications_own_makes_the_span_alone(
    spans: Spans, fapilog_logs: CapturedLogs
):
    app = shop()
    app.add_middleware(
        OpenTelemetryMiddleware, tracer_provider=spans.provider, exclude_spans=["receive", "send"]
    )
    assert ask(instrument_fastapi(app)) == 200
    assert_one_span_around_one_record(spans, fapilog_logs, "opentelemetry.instrumentation.asgi")


def test_an_application_that_runs_already_keeps_its_middleware(spans: Spans, fapilog_logs: CapturedLogs):
    made = []

    class Counting:
        def __init__(self, app: Any) -> None:
            self.app = app
            made.append(self)

        async def __call__(self, *arguments: Any) -> None:
            await self.app(*arguments)

    app = shop()
    app.add_middleware(Counting)
    assert ask(app) == 200
    instrument_fastapi(app, tracer_provider=spans.provider)
    assert ask(app) == 200
    assert len(made) == 1
    assert_one_span_around_one_record(spans, fapilog_logs, CONTRIB)


def test_starlette_has_spans_and_records_too(spans: Spans, fapilog_logs: CapturedLogs):
    async def read(request: Any) -> PlainTextResponse:
        return PlainTextResponse("tea")

    app = Starlette(routes=[Route("/items/{item}", read)])
    instrument_fastapi(app, tracer_provider=spans.provider)
    assert ask(app, "/items/7") == 200
    assert_one_span_around_one_record(spans, fapilog_logs, CONTRIB)
    assert fapilog_logs.find(event_name=HTTP_EVENT).attributes["http.route"] == "/items/{item}"


@pytest.mark.parametrize("contrib_after", [True, False])
def test_uninstrumented_it_is_as_before(contrib_after: bool, spans: Spans, fapilog_logs: CapturedLogs):
    app = instrument_fastapi(shop(), tracer_provider=spans.provider)
    if contrib_after:
        ContribInstrumentor.instrument_app(app, tracer_provider=spans.provider)
    assert ask(app) == 200
    uninstrument_fastapi(app)
    uninstrument_fastapi(app)
    assert ask(app) == 200
    assert len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 1
    assert len(spans.servers) == (2 if contrib_after else 1)
    kinds = {type(each) for each in chain(app.middleware_stack)}
    assert RequestLoggingMiddleware not in kinds
    assert ask(instrument_fastapi(app, tracer_provider=spans.provider)) == 200
    assert len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 2


def test_exporters_of_fastapi_are_not_added_to_ours(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[..., Any], otlp_receiver: Any
):
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_receiver.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    telemetry = configure(exporters=["otlp"])
    app = instrument_fastapi(shop())
    assert ask(app, lifespan=True) == 200
    assert telemetry.force_flush(30_000)
    ids = [
        span.span_id
        for request in otlp_receiver.requests
        for resource in getattr(request.message, "resource_spans", ())
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("choice", "scopes"), [("none", []), ("native", [NATIVE])])
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("runs", [True, False])
def test_none_and_native_take_contrib_off_the_application(
    choice: Any, scopes: list[str], ours_first: bool, runs: bool, spans: Spans, fapilog_logs: CapturedLogs
):
    app = shop()

    def ours(app: Any, **_: Any) -> None:
        instrument_fastapi(app, spans=choice, tracer_provider=spans.provider)

    steps = [ours, ContribInstrumentor.instrument_app]
    for step in steps if ours_first else reversed(steps):
        step(app, tracer_provider=spans.provider)
        if runs and step is not ours and not ours_first:
            ask(app)
            spans.exporter.clear()
    if not (runs and not ours_first):
        # Its stack is not built yet.
        app.add_middleware(RequestLoggingMiddleware)
    assert ask(app) == 200
    assert [span.instrumentation_scope.name for span in spans.servers] == scopes
    assert fapilog_logs.find_all(event_name=HTTP_EVENT)
    uninstrument_fastapi(app)
    ContribInstrumentor.instrument_app(app, tracer_provider=spans.provider)
    app.middleware_stack = None
    spans.exporter.clear()
    ask(app)
    assert CONTRIB in [span.instrumentation_scope.name for span in spans.servers]


def test_a_middleware_of_opentelemetry_that_the_application_adds_itself_refuses_none():
    app = shop()
    app.add_middleware(OpenTelemetryMiddleware)
    with pytest.raises(ConfigurationError, match="take OpenTelemetryMiddleware out"):
        instrument_fastapi(app, spans="none")
    assert instrumented(app) is None
