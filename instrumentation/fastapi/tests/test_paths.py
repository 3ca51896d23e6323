"""Secrets in a URL reach no record of the request and not its span, whatever the mode of redaction."""

import logging
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Header, Path, Query, Response
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.routing import Mount

import fapilog
from fapilog.redaction import Sensitive
from fapilog.testing import CapturedLogs, capture_logs
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    current_exchange,
    instrument_fastapi,
    server_lines,
)
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from instrumentation.fastapi.tests.calling import client

SECRET = "hunter" + "2"
SETTINGS = RequestLogging(spans="none")


def shop(**options: Any) -> Any:
    inner, router = FastAPI(), APIRouter(prefix="/v1")

    @router.get("/reset/{token}")
    async def reset(token: str) -> None:
        raise LookupError("no")

    @router.get("/people/{ssn}/of/{year}")
    async def person(
        ssn: Annotated[str, Sensitive("us-ssn")],
        year: int,
        born: Annotated[str, Query(), Sensitive("dob")] = "",
    ) -> None: ...

    @router.get("/files/x-{token}.txt")
    async def file(
        token: str, answer: Response, x_ssn: Annotated[str, Header(), Sensitive("us-ssn")] = ""
    ) -> None:
        answer.headers["location"] = f"https://shop.example/#id_token={token}"

    @router.get("/ints/{pin:int}/{name}")
    async def number(pin: Annotated[int, Path(), Sensitive("pin")], name: str) -> None: ...

    @router.get("/plain/{code}")
    async def plain(code: str) -> None: ...

    inner.include_router(router)
    return instrument_fastapi(FastAPI(routes=[Mount("/shop", app=inner)]), SETTINGS, **options)


HIDDEN = {
    f"/v1/reset/{SECRET}": "/v1/reset/[REDACTED:secret]",
    f"/v1/people/{SECRET}/of/1999": "/v1/people/[REDACTED:us-ssn]/of/1999",
    f"/v1/files/x-{SECRET}.txt": "/v1/files/x-[REDACTED:secret].txt",
    "/v1/ints/0042/42": "/v1/ints/[REDACTED:secret]/[REDACTED:secret]",
    "/v1/plain/tea": "/v1/plain/tea",
}


@pytest.mark.parametrize("path", HIDDEN)
async def test_secret_and_marked_parameters_of_the_path_stand_in_no_record(
    path: str, fapilog_logs: CapturedLogs
):
    async with client(shop()) as http:
        await http.get("/shop" + path)
    shown = {record.attributes["url.path"] for record in fapilog_logs if record.event_name}
    assert shown == {"/shop" + HIDDEN[path]}


async def test_marked_parameters_of_the_query_and_marked_headers_are_hidden_and_urls_in_headers(
    fapilog_logs: CapturedLogs,
):
    app = shop(capture={"request_headers": ["referer", "x-ssn"], "response_headers": ["location"]})
    async with client(app) as http:
        await http.get(f"/shop/v1/people/1/of/2?born={SECRET}&a=1")
        headers = {"referer": f"https://shop.example/a?token={SECRET}&b=2", "x-ssn": SECRET}
        await http.get(f"/shop/v1/files/x-{SECRET}.txt", headers=headers)
    first, second = (record.attributes for record in fapilog_logs.find_all(event_name=HTTP_EVENT))
    assert first["url.query"] == "born=[REDACTED:dob]&a=1"
    shown = {name: value for name, value in second.items() if ".header." in name}
    assert shown == {
        "http.request.header.referer": ["https://shop.example/a?token=[REDACTED:secret]&b=2"],
        "http.request.header.x-ssn": ["[REDACTED:us-ssn]"],
        "http.response.header.location": ["https://shop.example/#id_token=[REDACTED:secret]"],
    }


@pytest.mark.parametrize("spans", ["contrib", "native"])
@pytest.mark.parametrize("stability", ["", "http", "http/dup"])
def test_the_span_has_none_of_it(
    spans: Any, stability: str, configure: Callable[..., fapilog.Telemetry], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", stability)
    monkeypatch.setattr(
        "opentelemetry.instrumentation._semconv._OpenTelemetrySemanticConventionStability._initialized", False
    )
    telemetry, made = configure("shop", redaction="keys"), InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(made))
    app = FastAPI()

    @app.get("/reset/{token}")
    async def reset(token: str) -> None: ...

    TestClient(instrument_fastapi(app, spans=spans)).get(f"/reset/{SECRET}?password={SECRET}&x=1")
    [server] = [span for span in made.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert SECRET not in repr(
        [(span.name, dict(span.attributes or {})) for span in made.get_finished_spans()]
    )
    assert any("password=[REDACTED:secret]&x=1" in str(value) for value in server.attributes.values())


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What handlers of uvicorn's own get; its loggers are as before afterwards."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("uvicorn.access", "uvicorn.error")]
    before = [(logger.propagate, logger.level, list(logger.filters)) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(logging.INFO)
    yield lines
    for logger, (propagate, level, filters) in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.propagate, logger.filters = propagate, filters
        logger.setLevel(level)


def test_what_uvicorn_logs_of_it_reaches_its_handlers_as_ever_and_fapilog_without_secrets(
    heard: list[str], configure: Callable[..., fapilog.Telemetry], monkeypatch: pytest.MonkeyPatch
):
    # Applications of other tests may ask for silence.
    monkeypatch.setattr(server_lines, "_silencing", set())
    configure("shop")
    app = FastAPI()

    @app.get("/reset/{token}")
    async def reset(token: str) -> None:
        exchange = current_exchange()
        assert exchange is not None
        full = f"{exchange.path}?{exchange.scope['query_string'].decode()}".removesuffix("?")
        for name in ("uvicorn.access", "uvicorn.error"):
            logging.getLogger(name).info('%s - "GET %s" %d', "1.2.3.4:5", full, 200)

    instrument_fastapi(app, SETTINGS)
    access = logging.getLogger("uvicorn.access")
    access.addFilter(lambda record: "unwanted" not in record.getMessage())
    with capture_logs() as logs:
        http = TestClient(app)
        http.get(f"/reset/{SECRET}?password={SECRET}&x=1")
        http.get(f"/reset/{SECRET}?unwanted=1")
        access.info('%s - "GET %s" %d', "1.2.3.4:5", "/plain?x=1", 200)
    raw = f'1.2.3.4:5 - "GET /reset/{SECRET}?password={SECRET}&x=1" 200'
    unwanted = f'1.2.3.4:5 - "GET /reset/{SECRET}?unwanted=1" 200'
    assert heard == [raw, raw, unwanted, '1.2.3.4:5 - "GET /plain?x=1" 200']
    shown = '1.2.3.4:5 - "GET /reset/[REDACTED:secret]?password=[REDACTED:secret]&x=1" 200'
    ours = [(each.scope_name, each.body) for each in logs if each.scope_name.startswith("uvicorn")]
    assert ours == [
        ("uvicorn.access", shown),
        ("uvicorn.error", shown),
        ("uvicorn.error", '1.2.3.4:5 - "GET /reset/[REDACTED:secret]?unwanted=1" 200'),
        ("uvicorn.access", '1.2.3.4:5 - "GET /plain?x=1" 200'),
    ]
