"""`opentelemetry-instrument uvicorn app:app`: each request has one server span and one record in it."""

import signal

import httpx
import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.zero_code import start
from tests.servers.ports import free_ports

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-ID": "order-1"}
EVENT = "fapilog.http.server.request"
SERVER = 2  # SPAN_KIND_SERVER


@pytest.mark.parametrize(
    ("variables", "scope"),
    [
        ({}, "opentelemetry.instrumentation.fastapi"),
        (
            {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fastapi"},
            "fastapi",
        ),
    ],
)
def test_a_request_has_one_span_and_one_record_that_name_each_other(variables: dict[str, str], scope: str):
    [port] = free_ports(1)
    with OtlpReceiver() as receiver:
        process = start(
            ["uvicorn", "zero_code_asgi:app", "--port", str(port)],
            receiver,
            OTEL_METRICS_EXPORTER="none",
            **variables,
        )
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            assert any("Uvicorn running" in line for line in lines)
            answer = httpx.get(f"http://127.0.0.1:{port}/orders/7", headers=HEADERS, timeout=20)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=40)
        finally:
            process.kill()
    assert (answer.status_code, answer.headers["x-correlation-id"]) == (200, "order-1")
    assert "Traceback" not in err
    spans = [
        (inner.scope.name, span.trace_id.hex(), span.span_id.hex())
        for request in receiver.requests
        if request.path == "/v1/traces"
        for resource in request.message.resource_spans
        for inner in resource.scope_spans
        for span in inner.spans
        if span.kind == SERVER
    ]
    records = [record for record in receiver.log_records if record.event_name == EVENT]
    assert [(record.trace_id, record.span_id) for record in records] == [span[1:] for span in spans]
    assert [span[:2] for span in spans] == [(scope, TRACE)]
    assert records[0].attributes["http.route"] == "/orders/{number}"
    ids = {
        record.attributes.get("fapilog.correlation_id") for record in receiver.log_records if record.trace_id
    }
    assert ids == {"order-1"}
