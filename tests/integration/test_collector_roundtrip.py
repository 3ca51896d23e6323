"""What fapilog sends is what the real Collector's file exporter wrote, field by field."""

import dataclasses
import datetime
import decimal
import enum
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import fapilog
from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.integration.harness import NOW, counts, in_order
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.collector import Collector

TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7
SPAN = NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, is_remote=True, trace_flags=TraceFlags(1)))
Configure = Callable[..., fapilog.Telemetry]


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    label: str


# Keyword attributes as they are logged, and the values that arrive.
ATTRIBUTES: dict[str, tuple[Any, Any]] = {
    "text": ("späť", "späť"),
    "empty": ("", ""),
    "surrogate": ("a\ud800b", "a\\ud800b"),
    "large": (2**62, 2**62),
    "small": (-(2**63), -(2**63)),
    "too_large": (2**70, str(2**70)),
    "ratio": (2.5, 2.5),
    "infinite": (float("inf"), float("inf")),
    "yes": (True, True),
    "nothing": (None, None),
    "data": (b"\x00\xff", b"\x00\xff"),
    "array": ([1, 2.5, True, None, "x"], [1, 2.5, True, None, "x"]),
    "couple": ((1, (2, 3)), [1, [2, 3]]),
    "mapping": ({"a": {"b": [1]}, 2: 3}, {"a": {"b": [1]}, "2": 3}),
    "when": (datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2024-01-02T03:04:05+00:00"),
    "price": (decimal.Decimal("1.50"), "1.50"),
    "colour": (Colour.RED, "red"),
    "point": (Point(1, "y"), {"x": 1, "label": "y"}),
    "id": (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "password": ("hunter2", "[REDACTED:secret]"),
}


@pytest.fixture
def telemetry_to(configure: Configure) -> Configure:
    """Telemetry with a fixed clock."""

    def configured(endpoint: str, **overrides: Any) -> fapilog.Telemetry:
        telemetry = configure(endpoint, **overrides)
        telemetry.logger_provider.pipeline.fix_clock(NOW)
        return telemetry

    return configured


def expected(telemetry: fapilog.Telemetry, number: int, **fields: Any) -> ReceivedLogRecord:
    """A record of the logger `orders` at `NOW`, with what every record has."""
    attributes = fields.pop("attributes", {}) | {"fapilog.sequence": number}
    base = {
        "time_unix_nano": NOW,
        "observed_time_unix_nano": NOW,
        "severity_number": 9,
        "severity_text": "INFO",
        "scope_name": "orders",
        "resource": dict(telemetry.logger_provider.resource.attributes),
    }
    return ReceivedLogRecord(**base | fields, attributes=attributes)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_every_field_arrives_whatever_the_compression(
    collector: Collector, telemetry_to: Configure, compression: str
) -> None:
    telemetry = telemetry_to(
        collector.logs_endpoint,
        otlp={"compression": compression},
        service={"resource_attributes": {"deployment.environment.name": "test", "shop.region": "späť"}},
    )
    log = fapilog.get_logger("orders")
    with trace.use_span(SPAN):
        log.info("order placed", **{name: sent for name, (sent, _) in ATTRIBUTES.items()})
    log.audit("order %s of %d", "a", 3, event_name="order.audited", tags={"shop": "b"}, timestamp=NOW - 5)
    assert telemetry.force_flush(10_000)
    # Audit records have blocks of their own, which may arrive first.
    assert in_order(collector.wait_for_log_records(2)) == [
        expected(
            telemetry,
            0,
            body="order placed",
            attributes={name: arrived for name, (_, arrived) in ATTRIBUTES.items()},
            trace_id=f"{TRACE_ID:032x}",
            span_id=f"{SPAN_ID:016x}",
            flags=1,
        ),
        expected(
            telemetry,
            1,
            body="order a of 3",
            attributes={"fapilog.tag.shop": "b"},
            severity_number=10,
            severity_text="INFO2",
            event_name="order.audited",
            time_unix_nano=NOW - 5,
        ),
    ]
    assert counts(telemetry.ledger()) == {"offered": 2, "accepted": 2, "delivered": 2}


def test_scopes_share_a_request_and_keep_version_attributes_and_schema_url(
    collector: Collector, telemetry_to: Configure
) -> None:
    telemetry = telemetry_to(collector.logs_endpoint)
    provider = telemetry.logger_provider
    versioned = provider.get_logger("lib", "1.2", "https://example.com/schema/1", {"team": "x", "size": 3})
    other = provider.get_logger("lib", "1.3")
    for number, logger in enumerate((versioned, other, versioned)):
        logger.emit(timestamp=NOW, body=number)
    fapilog.get_logger("orders").info("last")
    assert telemetry.force_flush(10_000)
    collector.wait_for_records(4)
    [line] = collector.lines()
    [resource_logs] = line["resourceLogs"]
    scopes = [
        (
            scope_logs["scope"],
            scope_logs.get("schemaUrl", ""),
            [record["body"] for record in scope_logs["logRecords"]],
        )
        for scope_logs in resource_logs["scopeLogs"]
    ]
    attributes = [
        {"key": "team", "value": {"stringValue": "x"}},
        {"key": "size", "value": {"intValue": "3"}},
    ]
    assert scopes == [
        (
            {"name": "lib", "version": "1.2", "attributes": attributes},
            "https://example.com/schema/1",
            [{"intValue": "0"}, {"intValue": "2"}],
        ),
        ({"name": "lib", "version": "1.3"}, "", [{"intValue": "1"}]),
        ({"name": "orders"}, "", [{"stringValue": "last"}]),
    ]


def test_records_of_the_opentelemetry_api_arrive_in_both_forms(
    collector: Collector, telemetry_to: Configure
) -> None:
    telemetry = telemetry_to(collector.logs_endpoint)
    logger = telemetry.logger_provider.get_logger("orders")
    fields: dict[str, Any] = {
        "timestamp": NOW - 2,
        "observed_timestamp": NOW - 1,
        "severity_number": SeverityNumber.WARN2,
        "severity_text": "caution",
        "body": {"a": [1, None, b"\x01"], "b": {}},
        "attributes": {"order.id": 7},
        "event_name": "order.late",
        "context": trace.set_span_in_context(SPAN),
    }
    logger.emit(**fields)
    logger.emit(LogRecord(**fields))
    logger.emit(body=None)
    assert telemetry.force_flush(10_000)
    rich = {
        "time_unix_nano": NOW - 2,
        "observed_time_unix_nano": NOW - 1,
        "severity_number": 14,
        "severity_text": "caution",
        "body": {"a": [1, None, b"\x01"], "b": {}},
        "attributes": {"order.id": 7},
        "event_name": "order.late",
        "trace_id": f"{TRACE_ID:032x}",
        "span_id": f"{SPAN_ID:016x}",
        "flags": 1,
    }
    assert collector.wait_for_log_records(3) == [
        expected(telemetry, 0, **rich),
        expected(telemetry, 1, **rich),
        expected(telemetry, 2, time_unix_nano=0, severity_number=0, severity_text=""),
    ]


def test_a_record_of_logging_arrives(collector: Collector, telemetry_to: Configure) -> None:
    telemetry = telemetry_to(collector.logs_endpoint)
    record = logging.makeLogRecord(
        {
            "name": "legacy.db",
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": "slow query: %d ms",
            "args": (1200,),
            "created": 1_700_000_000.25,
            "table": "orders",
        }
    )
    logging.getLogger("legacy.db").handle(record)
    assert telemetry.force_flush(10_000)
    assert collector.wait_for_log_records(1) == [
        expected(
            telemetry,
            0,
            scope_name="legacy.db",
            body="slow query: 1200 ms",
            attributes={"table": "orders"},
            severity_number=13,
            severity_text="WARN",
            time_unix_nano=1_700_000_000_250_000_000,
        )
    ]


def test_a_log_event_arrives(collector: Collector, telemetry_to: Configure) -> None:
    telemetry = telemetry_to(collector.logs_endpoint)
    event = fapilog.LogEvent(
        message="order placed",
        level="notice",
        source="shop.checkout",
        category=fapilog.EventCategory("security"),
        tags={"shop": "b"},
        metrics={"amount": 12.5},
        context={"user_id": 7},
        correlation_id="c-1",
        timestamp=NOW - 7,
        event_name="order.placed",
    )
    fapilog.get_logger("orders").emit(event)
    assert telemetry.force_flush(10_000)
    assert collector.wait_for_log_records(1) == [
        expected(
            telemetry,
            0,
            scope_name="shop.checkout",
            body="order placed",
            severity_number=10,
            severity_text="notice",
            time_unix_nano=NOW - 7,
            event_name="order.placed",
            attributes={
                "user.id": 7,
                "fapilog.tag.shop": "b",
                "fapilog.metric.amount": 12.5,
                "fapilog.event.category": "security",
                "fapilog.correlation_id": "c-1",
            },
        )
    ]


def test_exceptions_of_all_doors_arrive_with_type_message_and_chain(
    collector: Collector, telemetry_to: Configure
) -> None:
    telemetry = telemetry_to(collector.logs_endpoint)
    try:
        try:
            raise KeyError("order")
        except KeyError as error:
            raise ValueError("no such order") from error
    except ValueError as error:
        fapilog.get_logger("orders").exception("failed")
        logging.getLogger("orders").exception("failed")
        telemetry.logger_provider.get_logger("orders").emit(body="failed", exception=error)
    assert telemetry.force_flush(10_000)
    records = in_order(collector.wait_for_log_records(3))
    described = [
        {name: value for name, value in record.attributes.items() if name.startswith("exception.")}
        for record in records
    ]
    stack = described[0]["exception.stacktrace"]
    assert (
        described
        == [
            {
                "exception.type": "ValueError",
                "exception.message": "no such order",
                "exception.stacktrace": stack,
            }
        ]
        * 3
    )
    assert stack.startswith("Traceback (most recent call last):\n")
    assert "KeyError: 'order'\n\nThe above exception was the direct cause" in stack
    assert stack.endswith("ValueError: no such order\n")
    assert [(record.body, record.severity_number) for record in records] == [
        ("failed", 17),
        ("failed", 17),
        ("failed", 0),
    ]


def test_attributes_beyond_the_limit_are_left_out_and_counted(
    collector: Collector, telemetry_to: Configure
) -> None:
    telemetry = telemetry_to(collector.logs_endpoint, limits={"attribute_count": 2})
    fapilog.get_logger("orders").info("wide", a=1, b=2, c=3, d=4, e=5)
    assert telemetry.force_flush(10_000)
    assert collector.wait_for_log_records(1) == [
        expected(telemetry, 0, body="wide", attributes={"a": 1, "b": 2}, dropped_attributes_count=3)
    ]


def test_the_place_of_the_call_arrives_for_warnings(collector: Collector, telemetry_to: Configure) -> None:
    telemetry = telemetry_to(collector.logs_endpoint, capture_location="auto")
    log = fapilog.get_logger("orders")
    log.info("quiet")
    log.warning("loud")
    function = test_the_place_of_the_call_arrives_for_warnings
    assert telemetry.force_flush(10_000)
    place = {
        "code.file.path": __file__,
        "code.line.number": function.__code__.co_firstlineno + 4,
        "code.function.name": f"{__name__}.{function.__name__}",
    }
    assert collector.wait_for_log_records(2) == [
        expected(telemetry, 0, body="quiet"),
        expected(telemetry, 1, body="loud", attributes=place, severity_number=13, severity_text="WARN"),
    ]


def test_tls_with_an_authority_of_its_own(
    tls_collector: Collector, certificates: Certificates, telemetry_to: Configure
) -> None:
    telemetry = telemetry_to(tls_collector.logs_endpoint, otlp={"certificate": str(certificates.ca)})
    fapilog.get_logger("orders").info("secure")
    assert telemetry.force_flush(10_000)
    assert tls_collector.wait_for_log_records(1) == [expected(telemetry, 0, body="secure")]


def test_mutual_tls(
    collector_binary: Path, certificates: Certificates, telemetry_to: Configure, tmp_path: Path
) -> None:
    with Collector(
        collector_binary, tmp_path, certificates=certificates, client_certificates_required=True
    ) as collector:
        telemetry = telemetry_to(
            collector.logs_endpoint,
            otlp={
                "certificate": str(certificates.ca),
                "client_certificate": str(certificates.client_certificate),
                "client_key": str(certificates.client_key),
            },
        )
        fapilog.get_logger("orders").info("secure")
        assert telemetry.force_flush(10_000)
        assert collector.wait_for_log_records(1) == [expected(telemetry, 0, body="secure")]


@pytest.mark.parametrize("fault", ["unknown authority", "wrong host", "no client certificate"])
def test_a_tls_fault_keeps_records_and_says_one_line(
    certificates: Certificates,
    configure: Configure,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    fault: str,
) -> None:
    if fault == "wrong host":
        certificates = make_certificates(tmp_path, server_host="elsewhere.test")
    trusted = {} if fault == "unknown authority" else {"certificate": str(certificates.ca)}
    client_ca = certificates.ca if fault == "no client certificate" else None
    with OtlpReceiver(
        certificate=certificates.server_certificate, key=certificates.server_key, client_ca=client_ca
    ) as receiver:
        endpoint = receiver.logs_endpoint
        telemetry = configure(endpoint, otlp=trusted)
        fapilog.get_logger("orders").info("kept")
        telemetry.force_flush(1)
        receiver.wait_for_handshake_errors(3)
        assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "pending": 1}
        assert receiver.log_records == []
        telemetry.shutdown(0)
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"fapilog: cannot deliver to {endpoint} (cannot reach {endpoint}: ")
    # Under TLS 1.3 a client without its certificate learns of it late, by a broken connection.
    assert ": TLS: " in line or fault == "no client certificate"
    assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "dropped.shutdown": 1}
