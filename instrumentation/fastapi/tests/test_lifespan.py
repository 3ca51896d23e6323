"""The lifespan has logging ready before the application starts, and delivers at its end, again and again."""

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette

import fapilog
from fapilog.errors import ConfigurationError, LifecycleError
from fapilog.testing import CapturedLogs, Hold, OtlpReceiver, ReceivedLogRecord, capture_logs
from fapilog_instrumentation_fastapi import RequestLogging, fapilog_lifespan, instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from fapilog_instrumentation_fastapi.lifespan import FAILED, STARTED, STOPPED
from tests.integration.harness import in_order

Configure = Callable[..., fapilog.Telemetry]
log = fapilog.get_logger("shop")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    if (telemetry := fapilog.current_telemetry()) is not None:
        telemetry.shutdown(1_000)


@pytest.fixture
def logs(configure: Configure) -> Iterator[CapturedLogs]:
    """What a process that is configured logs."""
    configure("shop")
    with capture_logs() as captured:
        yield captured


def to(receiver: OtlpReceiver, **more: Any) -> Callable[[], fapilog.Telemetry]:
    """What `fapilog_lifespan` is given to make its telemetry: nothing leaves by itself."""
    settings = {"exporters": ["otlp"], "otlp": {"endpoint": receiver.logs_endpoint}}
    buffer = {"schedule_delay_millis": 60_000, "shutdown_timeout_millis": 3_000}
    return lambda: fapilog.configure_otel("shop", buffer=buffer, **settings, **more)


def ours(receiver: OtlpReceiver) -> list[ReceivedLogRecord]:
    scopes = ("shop", "fapilog.application", "fapilog.http")
    return [record for record in in_order(receiver.log_records) if record.scope_name in scopes]


def events(records: Any) -> list[str]:
    known = {STARTED, STOPPED, FAILED, HTTP_EVENT}
    return [record.event_name for record in records if record.event_name in known]


@asynccontextmanager
async def database(_: Any) -> AsyncIterator[dict[str, str]]:
    log.info("connected")
    yield {"database": "open"}
    log.info("disconnected")


@pytest.fixture(autouse=True)
def _no_spans_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")


def test_everything_was_delivered_when_the_lifespan_ends():
    with OtlpReceiver() as receiver:
        app = FastAPI(title="Shop", version="3", lifespan=fapilog_lifespan(database, telemetry=to(receiver)))

        @app.get("/")
        async def read(request: Request) -> str:
            log.info("asked")
            return request.state.database

        with TestClient(app) as client:
            assert client.get("/").json() == "open"
            assert receiver.log_records == []
        records = ours(receiver)
        assert [record.event_name or record.body for record in records] == [
            "connected", STARTED, "asked", HTTP_EVENT, "disconnected", STOPPED,
        ]  # fmt: skip
        started, stopped = records[1], records[-1]
        assert (started.scope_name, started.body) == ("fapilog.application", "application started")
        for record in (started, stopped):
            assert record.attributes["fapilog.application.title"] == "Shop"
            assert record.attributes["fapilog.application.version"] == "3"
            assert record.attributes["fapilog.application.seconds"] >= 0


def test_a_lifespan_may_be_entered_many_times():
    with OtlpReceiver() as receiver:
        app = FastAPI(lifespan=fapilog_lifespan(telemetry=to(receiver)))
        for _ in range(3):
            with TestClient(app) as client:
                client.get("/nowhere")
        assert events(ours(receiver)) == [STARTED, HTTP_EVENT, STOPPED] * 3


def test_a_lifespan_after_the_shutdown_of_the_pipeline_has_a_new_one():
    with OtlpReceiver() as first, OtlpReceiver() as second:
        waiting = iter((to(first), to(second)))

        def configure_next() -> fapilog.Telemetry:
            return next(waiting)()

        app = FastAPI(lifespan=fapilog_lifespan(telemetry=configure_next))
        for receiver in (first, second):
            with TestClient(app) as client:
                client.get("/nowhere")
            assert events(ours(receiver)) == [STARTED, HTTP_EVENT, STOPPED]
            fapilog.current_telemetry().shutdown()


def test_without_telemetry_the_process_is_taken_as_it_is_configured(configure: Configure):
    telemetry = configure("shop")
    app = FastAPI(lifespan=fapilog_lifespan(spans="none"))
    with TestClient(app):
        assert fapilog.current_telemetry() is telemetry
    assert telemetry.is_open
    assert telemetry.ledger().offered == 2


def test_a_process_that_nobody_configured_is_configured_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAPILOG_EXPORTERS", "none")
    with TestClient(FastAPI(lifespan=fapilog_lifespan(spans="none"))):
        assert fapilog.current_telemetry().settings.exporters == ("none",)


def test_an_application_that_was_instrumented_keeps_its_settings(logs: CapturedLogs):
    settings = RequestLogging(spans="none", lifecycle={"events": False})
    app = instrument_fastapi(FastAPI(lifespan=fapilog_lifespan()), settings)
    with TestClient(app) as client:
        client.get("/nowhere")
    assert events(logs) == [HTTP_EVENT]
    assert instrumented(app).settings is settings


def test_an_application_that_was_instrumented_otherwise_does_not_start(logs: CapturedLogs):
    app = instrument_fastapi(FastAPI(lifespan=fapilog_lifespan(logger="b")), logger="a", spans="none")
    with pytest.raises(LifecycleError, match="other settings"), TestClient(app):
        pass


def test_a_wrong_setting_keeps_the_application_from_starting(logs: CapturedLogs):
    app = FastAPI(lifespan=fapilog_lifespan(lifecycle={"drain_timeout_millis": -1}))
    with pytest.raises(ConfigurationError, match=r"lifecycle\.drain_timeout_millis"), TestClient(app):
        pass


def test_a_start_that_fails_is_one_record_and_fails_as_before(logs: CapturedLogs):
    @asynccontextmanager
    async def broken(_: Any) -> AsyncIterator[None]:
        raise ConnectionError("no database")
        yield

    with pytest.raises(ConnectionError), TestClient(FastAPI(lifespan=fapilog_lifespan(broken, spans="none"))):
        pass
    [record] = [record for record in logs if record.event_name]
    assert (record.event_name, record.severity_text) == (FAILED, "ERROR")
    assert record.attributes["fapilog.application.phase"] == "startup"
    assert record.attributes["exception.type"] == "ConnectionError"


def test_a_stop_that_fails_is_one_record_and_what_was_logged_leaves():
    @asynccontextmanager
    async def broken(_: Any) -> AsyncIterator[None]:
        yield
        raise ConnectionError("no database")

    with OtlpReceiver() as receiver:
        app = FastAPI(lifespan=fapilog_lifespan(broken, telemetry=to(receiver)))
        with pytest.raises(ConnectionError), TestClient(app):
            pass
        assert events(ours(receiver)) == [STARTED, FAILED]
        assert ours(receiver)[-1].attributes["fapilog.application.phase"] == "shutdown"


def test_the_drain_ends_at_its_deadline_and_what_is_left_stays_queued(caplog: pytest.LogCaptureFixture):
    with OtlpReceiver() as receiver:
        release = threading.Event()
        receiver.answer_always_with(Hold(release))
        lifecycle = {"drain_timeout_millis": 50}
        app = FastAPI(lifespan=fapilog_lifespan(telemetry=to(receiver), lifecycle=lifecycle))
        with caplog.at_level(logging.WARNING, "fapilog_instrumentation_fastapi"), TestClient(app):
            pass
        assert "not everything was delivered within 50 ms" in caplog.text
        telemetry = fapilog.current_telemetry()
        assert telemetry.health().pending > 0
        release.set()
        assert telemetry.force_flush(20_000)
        assert events(ours(receiver)) == [STARTED, STOPPED]


def test_requests_have_one_span_and_one_record_when_the_lifespan_instruments(logs: CapturedLogs):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for native in ({}, {"telemetry": {"tracer_provider": provider}}):
        app = FastAPI(lifespan=fapilog_lifespan(tracer_provider=provider), **native)
        app.get("/tea")(lambda: "tea")
        for _ in range(2):
            logs.clear()
            exporter.clear()
            with TestClient(app) as client:
                client.get("/tea")
            [span] = [span for span in exporter.get_finished_spans() if span.kind.name == "SERVER"]
            [record] = logs.find_all(event_name=HTTP_EVENT)
            assert record.span_id == f"{span.get_span_context().span_id:016x}"
    provider.shutdown()


def test_starlette_applications_have_it_too(logs: CapturedLogs):
    with TestClient(Starlette(lifespan=fapilog_lifespan(database, spans="none"))) as client:
        client.get("/nowhere")
    assert events(logs) == [STARTED, HTTP_EVENT, STOPPED]


def test_with_a_provider_nothing_else_is_configured_and_it_is_delivered():
    with OtlpReceiver() as receiver:
        settings = fapilog.Settings.load(
            environ={},
            otlp={"endpoint": receiver.logs_endpoint},
            buffer={"schedule_delay_millis": 60_000, "shutdown_timeout_millis": 30_000},
        )
        with fapilog.LoggerProvider(settings=settings, exporters=["otlp"]) as provider:
            tracers = TracerProvider()
            own = fapilog_lifespan(logger_provider=provider, tracer_provider=tracers, spans="none")
            with TestClient(FastAPI(lifespan=own)) as client:
                client.get("/nowhere")
            assert events(ours(receiver)) == [STARTED, HTTP_EVENT, STOPPED]
            assert fapilog.current_telemetry() is None
