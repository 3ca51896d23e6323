"""Several applications in one process stay apart; what is asked for in a wrong way says so."""

import gc
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider

import fapilog
from fapilog import ConfigurationError, LoggerProvider
from fapilog.errors import LifecycleError
from fapilog.testing import CapturedLogs
from fapilog.testing.decoding import decode_log_record
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    RequestLoggingMiddleware,
    current_exchange,
    instrument_fastapi,
    uninstrument_fastapi,
)
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from instrumentation.fastapi.tests.calling import Wire, client, scope


def shop(**options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item}")
    async def read(item: str) -> str:
        return item

    return instrument_fastapi(app, spans="none", **options)


@pytest.fixture
def provider() -> Iterator[tuple[LoggerProvider, list[Any]]]:
    """A provider of its own, and what it was given."""
    settings = fapilog.Settings.load(environ={}, sequence=False)
    with LoggerProvider(settings=settings, exporters=["none"]) as made:
        taken: list[Any] = []
        made.pipeline.add_tap(lambda record, name: taken.append(decode_log_record(record, name)))
        yield made, taken


async def test_two_applications_have_their_own_settings_and_their_own_pipeline(
    provider: tuple[LoggerProvider, list[Any]], fapilog_logs: CapturedLogs
):
    own, taken = provider
    first = shop(logger="first", correlation={"response_header": "X-First"})
    second = shop(logger="second", logger_provider=own, access={"exclude_paths": ["/items/secret"]})
    async with client(first) as http:
        assert "x-first" in (await http.get("/items/secret")).headers
    async with client(second) as http:
        assert "x-first" not in (await http.get("/items/tea")).headers
        await http.get("/items/secret")
    mine = [
        (record.scope_name, record.attributes["url.path"]) for record in fapilog_logs if record.event_name
    ]
    assert mine == [("first", "/items/secret")]
    assert [(record.scope_name, record.attributes["url.path"]) for record in taken] == [
        ("second", "/items/tea")
    ]


async def test_a_request_within_a_request_has_an_exchange_of_its_own(fapilog_logs: CapturedLogs):
    inner, outer = shop(), FastAPI()
    seen = []

    @outer.get("/proxy")
    async def proxy() -> str:
        before = current_exchange()
        async with client(inner) as http:
            answer = await http.get("/items/tea", headers={"X-Request-ID": "inner"})
        assert current_exchange() is before
        seen.append(before.correlation_id)
        return answer.headers["x-correlation-id"]

    async with client(instrument_fastapi(outer, spans="none")) as http:
        answer = await http.get("/proxy", headers={"X-Request-ID": "outer"})
    assert (answer.json(), answer.headers["x-correlation-id"], seen) == ("inner", "outer", ["outer"])
    ids = [record.attributes["fapilog.correlation_id"] for record in fapilog_logs if record.event_name]
    assert ids == ["inner", "outer"]
    assert current_exchange() is None


def test_instrumenting_again_does_nothing_and_with_other_settings_says_so():
    app = shop()
    assert instrument_fastapi(app, spans="none") is app
    with pytest.raises(LifecycleError, match="already-configured"):
        instrument_fastapi(app, spans="contrib")
    uninstrument_fastapi(app)
    assert instrumented(app) is None
    instrument_fastapi(app, RequestLogging(), spans="none", access={"enabled": False})
    assert instrumented(app).settings == RequestLogging(spans="none", access={"enabled": False})


def test_what_is_no_application_of_starlette_is_refused_with_what_to_do():
    with pytest.raises(ConfigurationError) as caught:
        instrument_fastapi(object())
    assert str(caught.value) == (
        "app is no application of Starlette [setting-invalid]\n"
        "  app = object   from argument\n"
        "  do: pass a FastAPI or Starlette application; wrap any other one in RequestLoggingMiddleware\n"
        "  see: docs/reference/errors.md#setting-invalid"
    )


def test_without_the_package_the_error_has_the_pip_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(fapilog.FapilogError) as caught:
        fapilog.instrument_fastapi(FastAPI())
    assert caught.value.remedy == "pip install fapilog-instrumentation-fastapi"


def test_the_door_in_fapilog_is_the_function_of_the_package():
    app = fapilog.instrument_fastapi(FastAPI(), spans="none", access={"sample_ratio": 0.5})
    assert instrumented(app).settings.access.sample_ratio == 0.5


def test_an_application_that_nobody_uses_any_more_is_freed():
    app = shop()
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_uvicorns_access_log_is_silent_only_while_an_application_asks_for_it(monkeypatch: pytest.MonkeyPatch):
    # Applications of other tests may ask for it, too.
    monkeypatch.setattr("fapilog_instrumentation_fastapi.server_lines._silencing", weakref.WeakSet())
    access = logging.getLogger("uvicorn.access")
    record = access.makeRecord(access.name, logging.INFO, "x.py", 1, "GET /", (), None)
    assert access.filter(record)
    apps = [shop(access={"silence_uvicorn": True}) for _ in range(2)]
    assert not access.filter(record)
    uninstrument_fastapi(apps[0])
    assert not access.filter(record)
    uninstrument_fastapi(apps[1])
    assert access.filter(record)
    shop(access={"silence_uvicorn": True})
    gc.collect()
    assert access.filter(record)


async def test_hooks_see_the_exchange_and_what_they_raise_harms_nobody(fapilog_logs: CapturedLogs):
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("no tea")

    middleware = RequestLoggingMiddleware(app, RequestLogging())
    plan = middleware.plan

    def broken(exchange: Any) -> None:
        raise ValueError("a broken hook")

    plan.on_request += [broken, lambda exchange: exchange.add({"shop.id": 7})]
    plan.on_exception += [broken, lambda exchange: seen.append(exchange.error)]
    plan.on_response += [broken, lambda exchange: exchange.add({"shop.late": True})]
    wire = Wire()
    with pytest.raises(RuntimeError, match="no tea") as caught:
        await middleware(scope(), wire.receive, wire.send)
    assert seen == [caught.value]
    assert (plan.own_errors.count, plan.own_errors.last) == (3, "on_response: ValueError: a broken hook")
    record = fapilog_logs.find(event_name=HTTP_EVENT)
    assert (record.attributes["shop.id"], record.attributes["shop.late"]) == (7, True)


def test_a_second_call_with_another_provider_is_refused(provider: tuple[LoggerProvider, list[Any]]):
    app = shop(logger_provider=provider[0])
    assert instrument_fastapi(app, spans="none", logger_provider=provider[0]) is app
    for other in ({"tracer_provider": TracerProvider(), "logger_provider": provider[0]}, {}):
        with pytest.raises(LifecycleError, match=r"instrumented with other (tracer|logger)_provider"):
            instrument_fastapi(app, spans="none", **other)
