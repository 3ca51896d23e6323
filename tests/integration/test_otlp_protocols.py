"""OTLP over HTTP as protobuf and as JSON, and over gRPC: the same records arrive in the real Collector."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import fapilog
from fapilog.testing import ReceivedLogRecord
from tests.integration.harness import NOW, counts, in_order
from tests.servers.certificates import Certificates
from tests.servers.collector import Collector

SPAN = NonRecordingSpan(
    SpanContext(
        0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7, is_remote=True, trace_flags=TraceFlags(1)
    )
)
PROTOCOLS = ("http/protobuf", "http/json", "grpc")
VALUES: dict[str, Any] = {
    "text": 'späť\u2028 "quoted" \\',
    "empty": "",
    "large": 2**62,
    "small": -(2**63),
    "ratio": 2.5,
    "tiny": 5e-324,
    "infinite": float("-inf"),
    "yes": True,
    "nothing": None,
    "data": b"\x00\xff",
    "array": [1, 2.5, True, None, "x", [1, [2]]],
    "mapping": {"a": {"b": [1]}, "": {}},
    "password": "hunter2",
}
Configure = Callable[..., fapilog.Telemetry]


def endpoint(collector: Collector, protocol: str) -> str:
    """Where the Collector takes a protocol."""
    return collector.grpc_endpoint if protocol == "grpc" else collector.logs_endpoint


def log_something(telemetry: fapilog.Telemetry) -> None:
    """Records of several scopes, with every kind of value and field."""
    telemetry.logger_provider.pipeline.fix_clock(NOW)
    provider = telemetry.logger_provider
    log = fapilog.get_logger("orders")
    with trace.use_span(SPAN):
        log.info("order placed", **VALUES)
    log.audit("order %s", "a", event_name="order.audited", timestamp=NOW - 5)
    provider.get_logger("lib", "1.2", "https://example.com/schema", {"team": "x"}).emit(
        body={"a": [1, None, b"\x01"]}, timestamp=NOW
    )
    provider.get_logger("lib").emit(body=None)
    assert telemetry.force_flush(20_000)


def arrived(collector: Collector) -> list[ReceivedLogRecord]:
    """What the Collector wrote, without the identity of this run."""
    records = in_order(collector.wait_for_log_records(4, 20))
    return [
        dataclasses.replace(
            record,
            resource={key: value for key, value in record.resource.items() if key != "service.instance.id"},
        )
        for record in records
    ]


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_every_protocol_brings_the_same_records(
    collector: Collector, configure: Configure, compression: str
) -> None:
    seen = {}
    for protocol in PROTOCOLS:
        collector.forget_records()
        settings = {"protocol": protocol, "compression": compression}
        telemetry = configure(endpoint(collector, protocol), otlp=settings)
        log_something(telemetry)
        telemetry.shutdown()
        assert counts(telemetry.ledger()) == {"offered": 4, "accepted": 4, "delivered": 4}
        seen[protocol] = arrived(collector)
    assert seen["http/json"] == seen["http/protobuf"]
    assert seen["grpc"] == seen["http/protobuf"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_speaks_tls(
    tls_collector: Collector, certificates: Certificates, configure: Configure, protocol: str
) -> None:
    settings = {"protocol": protocol, "certificate": str(certificates.ca)}
    telemetry = configure(endpoint(tls_collector, protocol), otlp=settings)
    log_something(telemetry)
    assert len(arrived(tls_collector)) == 4


def test_grpc_over_the_collectors_limit_is_split(
    collector_binary: Path, configure: Configure, tmp_path: Path
) -> None:
    """4 MiB is what servers take by default; here it is 1, so that the test stays small."""
    extra = {"receivers": {"otlp": {"protocols": {"grpc": {"max_recv_msg_size_mib": 1}}}}}
    with Collector(collector_binary, tmp_path, extra=extra) as collector:
        telemetry = configure(
            collector.grpc_endpoint,
            otlp={"protocol": "grpc"},
            buffer={"chunk_bytes": 4 * 1024 * 1024, "record_bytes": 65_536},
        )
        log = fapilog.get_logger("orders")
        for number in range(40):
            log.info(f"{number}{'x' * 50_000}")
        assert telemetry.force_flush(30_000)
        bodies = [record.body for record in in_order(collector.wait_for_log_records(40, 20))]
        assert [int(body.rstrip("x")) for body in bodies] == list(range(40))
        assert counts(telemetry.ledger()) == {"offered": 40, "accepted": 40, "delivered": 40}


@pytest.mark.parametrize("protocol", ["grpc", "http/json"])
def test_records_wait_for_a_collector_that_comes_back(
    collector_binary: Path, configure: Configure, tmp_path: Path, protocol: str
) -> None:
    with Collector(collector_binary, tmp_path) as collector:
        port = collector.grpc_port if protocol == "grpc" else collector.http_port
        telemetry = configure(
            endpoint(collector, protocol),
            otlp={"protocol": protocol},
        )
        fapilog.get_logger("orders").info("before")
        assert telemetry.force_flush(20_000)
        collector.stop()
        fapilog.get_logger("orders").info("while it was away")
        assert not telemetry.force_flush(300)
        key = "grpc" if protocol == "grpc" else "http"
        again = {
            "receivers": {"otlp/again": {"protocols": {key: {"endpoint": f"127.0.0.1:{port}"}}}},
            "service": {"pipelines": {"logs": {"receivers": ["otlp/again"]}}},
        }
        directory = tmp_path / "again"
        directory.mkdir()
        with Collector(collector_binary, directory, extra=again) as second:
            assert telemetry.force_flush(30_000)
            assert [record.body for record in second.wait_for_log_records(1, 20)] == ["while it was away"]
        assert counts(telemetry.ledger()) == {"offered": 2, "accepted": 2, "delivered": 2}
