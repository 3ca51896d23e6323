"""Without code: our instrumentor beside the contrib one, in either order, makes one span and one record."""

from collections.abc import Iterator
from typing import Any

import fastapi
import pytest
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as ContribInstrumentor
from starlette.middleware import Middleware

from fapilog.errors import ConfigurationError
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import FastAPIInstrumentor, Hooks, instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from instrumentation.fastapi.tests.test_spans import (
    CONTRIB,
    HEADERS,
    Spans,
    assert_one_span_around_one_record,
)


@pytest.fixture
def instrumentors() -> Iterator[list[Any]]:
    """Ours and contrib's; both are taken out at the end, and the class is as before."""
    before = (fastapi.FastAPI, fastapi.FastAPI.__init__)
    both = [FastAPIInstrumentor(), ContribInstrumentor()]
    used: list[Any] = []
    yield [both, used]
    for each in reversed(used):
        each.uninstrument()
    assert (fastapi.FastAPI, fastapi.FastAPI.__init__) == before


def made() -> Any:
    app = fastapi.FastAPI()

    @app.get("/orders/{order_id}")
    def read(order_id: int) -> int:
        return order_id

    return app


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("lifespan", [True, False])
def test_both_instrumentors_together_make_one_span_and_one_record(
    ours_first: bool, lifespan: bool, instrumentors: list[Any], fapilog_logs: CapturedLogs
):
    both, used = instrumentors
    spans = Spans()
    for each in both if ours_first else reversed(both):
        each.instrument(tracer_provider=spans.provider, exclude_spans=["receive", "send"])
        used.append(each)
    client = TestClient(made())
    if lifespan:
        with client:
            client.get("/orders/1", headers=HEADERS)
    else:
        client.get("/orders/1", headers=HEADERS)
    assert_one_span_around_one_record(spans, fapilog_logs, CONTRIB)
    spans.provider.shutdown()


def test_ours_alone_asks_contrib_for_the_spans_unless_it_is_switched_off(
    instrumentors: list[Any], monkeypatch: pytest.MonkeyPatch
):
    [ours, _], used = instrumentors
    ours.instrument()
    used.append(ours)
    made_by = []
    for disabled in ("", "requests, fastapi"):
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", disabled)
        app = made()
        TestClient(app).get("/orders/1")
        made_by.append(instrumented(app).spans.made_by)
    assert made_by == ["contrib", "native"]


def test_a_call_in_the_application_beside_it_changes_nothing(
    instrumentors: list[Any], fapilog_logs: CapturedLogs
):
    [ours, _], used = instrumentors
    ours.instrument()
    used.append(ours)
    app = instrument_fastapi(made())
    TestClient(app).get("/orders/1")
    assert len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 1


@pytest.mark.parametrize("contrib", [True, False])
def test_a_call_with_settings_of_its_own_wins_over_what_was_done_without_code(
    contrib: bool, instrumentors: list[Any], fapilog_logs: CapturedLogs
):
    both, used = instrumentors
    spans = Spans()
    for each in both if contrib else both[:1]:
        each.instrument(tracer_provider=spans.provider)
        used.append(each)
    app = instrument_fastapi(made(), logger="mine", tracer_provider=spans.provider)
    for _ in range(2):
        TestClient(app).get("/orders/1")
    records = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert [record.scope_name for record in records] == ["mine", "mine"]
    assert len(spans.servers) == 2
    assert records[1].span_id == f"{spans.servers[1].get_span_context().span_id:016x}"


def test_uninstrumented_applications_log_no_more(instrumentors: list[Any], fapilog_logs: CapturedLogs):
    [ours, _], _ = instrumentors
    ours.instrument()
    app = made()
    TestClient(app).get("/orders/1")
    ours.uninstrument()
    TestClient(app).get("/orders/1")
    TestClient(made()).get("/orders/1")
    assert len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 1


def test_a_wrong_variable_stops_no_service_and_is_said(
    instrumentors: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("FAPILOG_FASTAPI_ACCESS_SAMPLE_RATIO", "2")
    [ours, _], used = instrumentors
    ours.instrument()
    used.append(ours)
    app = made()
    assert TestClient(app).get("/orders/1").json() == 1
    assert instrumented(app) is None
    assert "set FAPILOG_FASTAPI_ACCESS_SAMPLE_RATIO to another value" in caplog.text


def test_an_application_that_refuses_a_setting_goes_without(
    instrumentors: list[Any], caplog: pytest.LogCaptureFixture
):
    [ours, _], used = instrumentors
    ours.instrument(spans="none")
    used.append(ours)
    app = fastapi.FastAPI(middleware=[Middleware(OpenTelemetryMiddleware)])
    assert TestClient(app).get("/").status_code == 404
    assert instrumented(app) is None
    assert "take OpenTelemetryMiddleware out of the application" in caplog.text


def test_settings_and_hooks_are_passed_on_and_what_nobody_knows_is_refused(
    instrumentors: list[Any], fapilog_logs: CapturedLogs
):
    [ours, _], used = instrumentors
    for wrong in ({"nonsense": 1}, {"access": {"sample_ratio": 2}}):
        with pytest.raises(ConfigurationError):
            ours.instrument(**wrong)
    hooks = Hooks(on_request=lambda exchange: exchange.add({"seen": True}))
    ours.instrument(spans="none", access={"client": False}, hooks=hooks, exclude_spans=["send"])
    used.append(ours)
    TestClient(made()).get("/orders/1")
    [record] = fapilog_logs.find_all(event_name=HTTP_EVENT)
    assert (record.attributes["seen"], "client.address" in record.attributes) == (True, False)


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize(("choice", "servers"), [("none", []), ("native", ["fastapi"])])
def test_a_variable_that_says_who_makes_the_spans_counts_where_contrib_is_loaded_too(
    ours_first: bool,
    choice: str,
    servers: list[str],
    instrumentors: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    fapilog_logs: CapturedLogs,
):
    monkeypatch.setenv("FAPILOG_FASTAPI_SPANS", choice)
    both, used = instrumentors
    spans = Spans()
    for each in both if ours_first else reversed(both):
        each.instrument(tracer_provider=spans.provider)
        used.append(each)
    TestClient(made()).get("/orders/1")
    assert [span.instrumentation_scope.name for span in spans.servers] == servers
    assert len(fapilog_logs.find_all(event_name=HTTP_EVENT)) == 1
    spans.provider.shutdown()
