"""FastAPI's own telemetry passes the redaction, whichever provider it finds, and whatever it adds."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider as StockLoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fapilog import otel_private
from fapilog.testing import OtlpReceiver
from fapilog.testing.decoding import decompress

fastapi = pytest.importorskip("fastapi")
_runtime = pytest.importorskip("fastapi.telemetry._runtime", reason="FastAPI measures itself since 0.142")

CARD, EMAIL = "4111111111111111", "ann@example.org"
SECRETS = (CARD, EMAIL, "hunter2-not-real", "Vx81hQz0Pw")
PATH = f"/users/{EMAIL}/cards/{CARD}?password=hunter2-not-real&sig=Vx81hQz0Pw&page=2"


@pytest.fixture
def installed() -> Iterator[Callable[..., None]]:
    """Installs providers of somebody else; they are taken out at the end."""
    setters: dict[str, Callable[[Any], None]] = {
        "trace": otel_private.install_tracer_provider,
        "metrics": otel_private.install_meter_provider,
        "logs": otel_private.install_logger_provider,
    }
    made: list[tuple[str, Any]] = []

    def install(**providers: Any) -> None:
        for signal, provider in providers.items():
            setters[signal](provider)
            made.append((signal, provider))

    yield install
    for signal, provider in made:
        otel_private.mark_ended(signal, provider)
        provider.shutdown()


def application(**telemetry: Any) -> Any:
    app = fastapi.FastAPI(telemetry=telemetry)

    @app.get("/users/{user}/cards/{card}")
    def pay(user: str, card: str) -> dict[str, str]:
        trace.get_current_span().add_event(f"paying with {card}", {"user": user})
        if user:
            raise ValueError(f"card {card} of {user} was declined")
        return {}

    return app


def request(app: Any, path: str = PATH) -> int:
    async def ask() -> int:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
            return (await client.get(f"http://shop.example{path}")).status_code

    return asyncio.run(ask())


def started(app: Any) -> None:
    """Start the application as a server does: FastAPI configures its exporters then."""

    async def start() -> None:
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> dict[str, str]:
            return messages.pop(0)

        async def send(_message: Any) -> None: ...

        await app({"type": "lifespan", "state": {}}, receive, send)

    asyncio.run(start())


def leaked(*shown: object) -> list[str]:
    text = " ".join(map(str, shown))
    return [secret for secret in (*SECRETS, EMAIL.replace("@", "%40")) if secret in text]


def spans_in(exporter: InMemorySpanExporter) -> list[str]:
    return [span.to_json() for span in exporter.get_finished_spans()]


def test_its_spans_and_records_pass_our_providers(configure):
    spans, records = InMemorySpanExporter(), InMemoryLogRecordExporter()
    telemetry = configure(redaction="scan", exporters=[records])
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    assert request(application()) == 500
    assert telemetry.force_flush(30_000)
    found = {span.name: span for span in spans.get_finished_spans()}
    server = found["GET /users/{user}/cards/{card}"]
    assert (server.attributes or {})["url.path"] == "/users/[REDACTED:email]/cards/[REDACTED:pan]"
    assert [event.name for event in server.events + found["fastapi.endpoint"].events] == [
        "paying with [REDACTED:pan]"
    ]
    [failure] = [one for one in records.get_finished_logs() if one.log_record.event_name]
    assert failure.log_record.event_name == "http.server.request.exception"
    message = (failure.log_record.attributes or {})["exception.message"]
    assert message == "card [REDACTED:pan] of [REDACTED:email] was declined"
    assert leaked(*spans_in(spans), *(one.to_json() for one in records.get_finished_logs())) == []


def test_its_spans_records_and_metrics_pass_providers_that_were_there_before_ours(installed, configure):
    spans, records, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
    tracers, loggers = TracerProvider(shutdown_on_exit=False), StockLoggerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
    installed(trace=tracers, logs=loggers, metrics=MeterProvider([reader], shutdown_on_exit=False))
    configure(redaction="scan")
    assert request(application()) == 500
    collected = reader.get_metrics_data()
    assert collected is not None
    assert "http.server.request.duration" in collected.to_json()
    assert len(spans_in(spans)) > 1
    assert len(records.get_finished_logs()) == 1
    shown = (one.to_json() for one in records.get_finished_logs())
    assert leaked(*spans_in(spans), *shown, collected.to_json()) == []


def test_exporters_that_it_adds_by_itself_stand_behind_the_redaction(configure, monkeypatch):
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
        configure(redaction="scan", exporters=["none"])
        for name in ("TRACES", "METRICS", "LOGS"):
            monkeypatch.setenv(f"OTEL_{name}_EXPORTER", "otlp")
        app = application(auto_configure=True)
        started(app)
        assert request(app) == 500
        # As at the end of the process: nothing that it added is left to export later.
        _runtime._shutdown()
        sent = receiver.requests
        bodies = [decompress(one.body, one.headers.get("content-encoding", "")) for one in sent]
    assert {one.path for one in sent} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert leaked(*bodies) == []
    assert b"[REDACTED:pan]" in b"".join(bodies)
