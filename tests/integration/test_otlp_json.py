"""OTLP/HTTP with JSON: equal records, and retries, splitting and the ledger as with protobuf."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import fapilog
from fapilog.testing import Ok, OtlpReceiver, ReceivedLogRecord, ResetMidBody, Status
from tests.integration.harness import NOW, ONE_RECORD_PER_BLOCK, bodies, counts
from tests.servers.collector import Collector

Configure = Callable[..., fapilog.Telemetry]
ALL_IN_TIME_MILLIS = 10_000
SPAN = NonRecordingSpan(SpanContext(2**127 + 1, 255, is_remote=True, trace_flags=TraceFlags(1)))
JSON: dict[str, Any] = {"protocol": "http/json"}

ATTRIBUTES: dict[str, Any] = {
    "text": 'sp\u00e4t "q" \\ \n\x1b[31m \u2028\u202e',
    "empty": "",
    "large": 2**63 - 1,
    "small": -(2**63),
    "exact": 2**53 + 1,
    "ratio": 0.1,
    "tiny": 5e-324,
    "infinite": float("-inf"),
    "yes": True,
    "nothing": None,
    "data": b"\x00\xff\xfe",
    "nested": [1, "a", None, {"b": [b"", 2.5, {}]}, []],
    "password": "hunter2",
}


def log_everything() -> None:
    log = fapilog.get_logger("orders")
    with trace.use_span(SPAN):
        log.error("order lost", event_name="order.lost", **ATTRIBUTES)
    log.info({"a": [1, None]})
    log.info("")
    fapilog.get_logger("other").info("last", nan=float("nan"))


def without_nan(record: ReceivedLogRecord) -> ReceivedLogRecord:
    """NaN equals nothing, so it becomes a text here."""
    nan = record.attributes.get("nan")
    if nan is not None:
        assert nan != nan
        record.attributes["nan"] = "NaN"
    return record


def test_the_collector_gets_the_same_records_as_with_protobuf(
    collector: Collector, configure: Configure
) -> None:
    arrived = []
    for protocol in ("http/protobuf", "http/json"):
        collector.forget_records()
        telemetry = configure(collector.logs_endpoint, otlp={"protocol": protocol})
        telemetry.logger_provider.pipeline.fix_clock(NOW)
        log_everything()
        assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
        records = [without_nan(record) for record in collector.wait_for_log_records(4)]
        for record in records:
            # Made anew by each configuration.
            record.resource.pop("service.instance.id", None)
        arrived.append(records)
        assert counts(telemetry.ledger()) == {"offered": 4, "accepted": 4, "delivered": 4}
        telemetry.shutdown()
    assert arrived[1] == arrived[0]
    assert arrived[0][0].attributes["text"] == ATTRIBUTES["text"]
    assert arrived[0][0].trace_id == f"{2**127 + 1:032x}"


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_a_request_is_json_of_the_specification(
    receiver: OtlpReceiver, configure: Configure, compression: str
) -> None:
    telemetry = configure(otlp=JSON | {"compression": compression})
    telemetry.logger_provider.pipeline.fix_clock(NOW)
    log_everything()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    [request] = receiver.requests
    headers = {name: request.headers.get(name) for name in ("content-type", "accept", "content-encoding")}
    assert headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "content-encoding": None if compression == "none" else compression,
    }
    if compression == "gzip":
        text = gzip.decompress(request.body).decode()
        record = json.loads(text)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
        assert (record["traceId"], record["spanId"]) == (f"{2**127 + 1:032x}", f"{255:016x}")
        assert (record["timeUnixNano"], record["severityNumber"]) == (str(NOW), 17)
        assert {"key": "infinite", "value": {"doubleValue": "-Infinity"}} in record["attributes"]
    values = receiver.log_records[0].attributes
    expected = ATTRIBUTES | {"password": "[REDACTED:secret]", "fapilog.sequence": 0}
    assert {name: values[name] for name in expected} == expected


def test_refusals_that_pass_are_retried_and_counts_of_json_answers_are_read(
    receiver: OtlpReceiver, configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answer_with(Status(503), Status(429, retry_after=0), Ok(rejected=2, message="too old"))
    telemetry = configure(otlp=JSON)
    for number in range(5):
        fapilog.get_logger("orders").info(f"order {number}")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert counts(telemetry.ledger()) == {"offered": 5, "accepted": 5, "delivered": 3, "rejected": 2}
    assert len(receiver.requests) == 3
    assert len({request.body for request in receiver.requests}) == 1
    err = capfd.readouterr().err
    assert "(HTTP 503 Service Unavailable: scripted 503)" in err
    assert "took a request without 2 of its records: too old\n" in err


def test_a_request_that_the_receiver_finds_too_large_is_split(
    receiver: OtlpReceiver, configure: Configure
) -> None:
    receiver.answer_with(Status(413), Status(413))
    telemetry = configure(otlp=JSON)
    for number in range(8):
        fapilog.get_logger("orders").info(f"order {number}")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver) == [f"order {number}" for number in range(8)]
    assert [
        len(request.message.resource_logs[0].scope_logs[0].log_records) for request in receiver.requests
    ] == [
        8,
        4,
        2,
        2,
        4,
    ]
    assert counts(telemetry.ledger()) == {"offered": 8, "accepted": 8, "delivered": 8}


def test_the_limit_counts_the_json_and_not_the_protobuf(receiver: OtlpReceiver, configure: Configure) -> None:
    telemetry = configure(otlp=JSON | {"max_request_bytes": 3_000, "compression": "none"})
    for number in range(40):
        fapilog.get_logger("orders").info(f"order {number}")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver) == [f"order {number}" for number in range(40)]
    assert max(len(request.body) for request in receiver.requests) <= 3_000
    assert counts(telemetry.ledger()) == {"offered": 40, "accepted": 40, "delivered": 40}


def test_an_answer_that_breaks_off_counts_as_taken(
    receiver: OtlpReceiver, configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answer_with(ResetMidBody(take_records=True))
    telemetry = configure(otlp=JSON, buffer=ONE_RECORD_PER_BLOCK)
    fapilog.get_logger("orders").info("once")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert bodies(receiver) == ["once"]
    assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "delivered": 1}


def test_the_variable_of_opentelemetry_chooses_json(
    receiver: OtlpReceiver, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json")
    telemetry = configure()
    fapilog.get_logger("orders").info("chosen")
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert [request.headers["content-type"] for request in receiver.requests] == ["application/json"]
