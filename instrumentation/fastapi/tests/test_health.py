"""The routes of health answer with states and counts, cost no access record, and are not in the schema."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import fapilog
from fapilog.errors import ConfigurationError
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import health_router, instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT

Configure = Callable[..., fapilog.Telemetry]
FIELDS = [
    "buffer_bytes",
    "buffer_limit_bytes",
    "lost",
    "pending",
    "plugins",
    "shedding_below",
    "status",
    "violations",
]


def client(*arguments: Any, prefix: str = "", **options: Any) -> TestClient:
    app = FastAPI()
    app.include_router(health_router(*arguments, **options), prefix=prefix)
    return TestClient(instrument_fastapi(app, spans="none"))


def test_a_process_that_serves_is_alive():
    answer = client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


def test_ready_gives_the_health_of_the_pipeline_with_fields_that_stay(configure: Configure):
    telemetry = configure("shop")
    answer = client().get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"], sorted(body), sorted(body["pipeline"])) == (
        200,
        "ready",
        ["pipeline", "status"],
        FIELDS,
    )
    assert body["pipeline"]["status"] == "ok"
    assert body["pipeline"]["buffer_limit_bytes"] == telemetry.settings.buffer.limit_bytes


def test_a_pipeline_that_was_shut_down_is_not_ready(configure: Configure):
    telemetry = configure("shop")
    asked = client(telemetry)
    telemetry.shutdown()
    answer = asked.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["pipeline"]["status"] == "shut_down"


def test_which_states_are_not_ready_is_a_setting(monkeypatch: pytest.MonkeyPatch):
    assert fapilog.current_telemetry() is None
    assert client().get("/readyz").json() == {"status": "ready", "pipeline": {"status": "unconfigured"}}
    monkeypatch.setenv("FAPILOG_FASTAPI_HEALTH_UNREADY_WHEN", "losing, unconfigured")
    assert client().get("/readyz").status_code == 503
    assert client(unready_when=()).get("/readyz").status_code == 200


def test_probes_have_no_access_record_unless_asked(fapilog_logs: CapturedLogs):
    for probe in (client(), client(prefix="/internal"), client(access=True)):
        for path in ("/healthz", "/readyz", "/internal/healthz", "/nowhere"):
            probe.get(path)
    seen = [record.attributes["url.path"] for record in fapilog_logs.find_all(event_name=HTTP_EVENT)]
    plain = ["/internal/healthz", "/nowhere"]
    assert seen == [*plain, "/healthz", "/readyz", "/nowhere", "/healthz", "/readyz", *plain]


def test_probes_are_in_the_schema_only_if_asked():
    assert list(client().get("/openapi.json").json()["paths"]) == []
    assert list(client(in_schema=True).get("/openapi.json").json()["paths"]) == ["/healthz", "/readyz"]


def test_paths_can_be_changed_and_left_out():
    asked = client(live_path="/alive", ready_path=None)
    assert [asked.get(path).status_code for path in ("/alive", "/healthz", "/readyz")] == [200, 404, 404]
    assert asked.head("/alive").status_code == 200


def test_a_wrong_option_is_named():
    with pytest.raises(ConfigurationError, match=r"health\.live_path"):
        health_router(live_path="healthz")
    with pytest.raises(ConfigurationError, match=r"health\.unready_when"):
        health_router(unready_when=("away",))
