"""`OtlpReceiver` takes OTLP/JSON, as the specification writes it, and answers in JSON."""

import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fapilog.testing import Ok, OtlpReceiver, ReceivedLogRecord, Status
from fapilog.testing.otlp_json import read_message

# The example of the OTLP specification, shortened, and every kind of value.
DOCUMENT: dict[str, Any] = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
            "scopeLogs": [
                {
                    "scope": {"name": "my.library", "version": "1.0.0"},
                    "logRecords": [
                        {
                            "timeUnixNano": "1544712660300000000",
                            "severityNumber": 10,
                            "severityText": "Information",
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "EEE19B7EC3C1B174",
                            "body": {"stringValue": "Example log record"},
                            "attributes": [
                                {"key": "int", "value": {"intValue": "-5"}},
                                {"key": "infinite", "value": {"doubleValue": "-Infinity"}},
                                {"key": "none", "value": {}},
                                {"key": "bytes", "value": {"bytesValue": "AP8="}},
                                {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}]}}},
                            ],
                            "fieldOfALaterVersion": {"a": 1},
                        }
                    ],
                }
            ],
        }
    ]
}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def post(
    receiver: OtlpReceiver, body: bytes, path: str = "/v1/logs", **headers: str
) -> tuple[int, str | None, Any]:
    """Return status, content type and the parsed body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=5)
    connection.request("POST", path, body, {"Content-Type": "application/json; charset=utf-8"} | headers)
    response = connection.getresponse()
    answer = response.status, response.getheader("Content-Type"), json.loads(response.read())
    connection.close()
    return answer


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_request_in_json_arrives_in_plain_values(receiver: OtlpReceiver, encoding: str) -> None:
    body = json.dumps(DOCUMENT).encode()
    packed = gzip.compress(body) if encoding == "gzip" else body
    assert post(receiver, packed, **{"Content-Encoding": encoding}) == (200, "application/json", {})
    assert receiver.log_records == [
        ReceivedLogRecord(
            time_unix_nano=1_544_712_660_300_000_000,
            severity_number=10,
            severity_text="Information",
            body="Example log record",
            attributes={
                "int": -5,
                "infinite": float("-inf"),
                "none": None,
                "bytes": b"\x00\xff",
                "list": [True],
            },
            trace_id="5b8efff798038103d269b633813fc60c",
            span_id="eee19b7ec3c1b174",
            scope_name="my.library",
            scope_version="1.0.0",
            resource={"service.name": "my.service"},
        )
    ]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/logs", "rejectedLogRecords"),
        ("/v1/traces", "rejectedSpans"),
        ("/v1/metrics", "rejectedDataPoints"),
    ],
)
def test_a_partial_success_is_json_with_its_count_as_text(
    receiver: OtlpReceiver, path: str, field: str
) -> None:
    receiver.answer_with(Ok(rejected=2, message="too old"))
    answer = post(receiver, b"{}", path)
    expected = {"partialSuccess": {field: "2", "errorMessage": "too old"}}
    assert answer == (200, "application/json", expected)


def test_an_error_is_a_status_in_json(receiver: OtlpReceiver) -> None:
    receiver.answer_with(Status(503))
    assert post(receiver, b"{}") == (503, "application/json", {"message": "scripted 503"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"resourceLogs": 5}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":NaN}}]}]}]}',
    ],
)
def test_what_is_no_otlp_json_is_refused(receiver: OtlpReceiver, body: bytes) -> None:
    status, content_type, answer = post(receiver, body)
    assert (status, content_type) == (400, "application/json")
    assert answer["message"].startswith("the body cannot be decoded: ")


def test_identifiers_of_spans_are_hexadecimal_too() -> None:
    text = b'{"spanId": "00f067aa0ba902b7", "parentSpanId": "00000000000000ff", "name": "GET"}'
    span = read_message(text, Span)
    assert (span.span_id.hex(), span.parent_span_id.hex(), span.name) == (
        "00f067aa0ba902b7",
        "00000000000000ff",
        "GET",
    )
