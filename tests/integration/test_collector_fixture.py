"""Proves the Collector fixture: what the stock SDK sends is what the Collector's file exporter wrote."""

from pathlib import Path

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.servers.certificates import Certificates
from tests.servers.collector import Collector, CollectorError
from tests.servers.ports import free_ports

EXPECTED = ReceivedLogRecord(
    time_unix_nano=1_700_000_000_000_000_001,
    observed_time_unix_nano=1_700_000_000_000_000_002,
    severity_number=13,
    severity_text="WARN",
    body={"text": "späť", "data": b"\x00\xff", "list": [1, 2.5, True, None]},
    attributes={"order.id": 2**62},
    event_name="order.late",
    scope_name="orders",
    scope_version="1.2",
    scope_attributes={"team": "x"},
    resource={"service.name": "shop"},
)


def emit_expected(*exporters: LogRecordExporter) -> None:
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}))
    for exporter in exporters:
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("orders", "1.2", attributes={"team": "x"}).emit(
        timestamp=EXPECTED.time_unix_nano,
        observed_timestamp=EXPECTED.observed_time_unix_nano,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body=EXPECTED.body,
        attributes=EXPECTED.attributes,
        event_name="order.late",
    )
    provider.shutdown()


def test_the_collector_writes_what_the_stock_exporter_sends_over_http(collector: Collector) -> None:
    emit_expected(OTLPLogExporter(endpoint=collector.logs_endpoint, compression=Compression.Gzip))
    assert collector.wait_for_log_records(1) == [EXPECTED]
    [record] = collector.wait_for_records(1)
    assert record["timeUnixNano"] == "1700000000000000001"
    assert record["resource"] == {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}


def test_the_collector_writes_what_the_stock_exporter_sends_over_grpc(collector: Collector) -> None:
    emit_expected(GrpcLogExporter(endpoint=collector.grpc_endpoint, insecure=True))
    assert collector.wait_for_log_records(1) == [EXPECTED]


def test_the_collector_and_the_embedded_receiver_see_the_same_record(collector: Collector) -> None:
    with OtlpReceiver() as receiver:
        emit_expected(
            OTLPLogExporter(endpoint=collector.logs_endpoint),
            OTLPLogExporter(endpoint=receiver.logs_endpoint),
        )
        assert collector.wait_for_log_records(1) == receiver.wait_for_log_records(1) == [EXPECTED]


def test_each_test_begins_with_no_records(collector: Collector) -> None:
    emit_expected(OTLPLogExporter(endpoint=collector.logs_endpoint))
    collector.wait_for_records(1)
    collector.forget_records()
    assert (collector.records(), collector.log_records()) == ([], [])


def test_spans_get_a_file_of_their_own(collector: Collector) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(
        SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{collector.endpoint}/v1/traces"))
    )
    with provider.get_tracer("orders").start_as_current_span("pay"):
        pass
    provider.shutdown()
    [line] = collector.wait_for_lines("traces", 1)
    assert line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "pay"


def test_tls_works_for_a_client_that_trusts_the_authority_and_for_no_other(
    tls_collector: Collector, certificates: Certificates
) -> None:
    emit_expected(
        OTLPLogExporter(endpoint=tls_collector.logs_endpoint, certificate_file=str(certificates.ca))
    )
    assert tls_collector.wait_for_log_records(1) == [EXPECTED]
    distrustful = OTLPLogExporter(endpoint=tls_collector.logs_endpoint, timeout=1)
    assert distrustful.export([]) is LogRecordExportResult.FAILURE
    distrustful.shutdown()


def test_mutual_tls_works_for_a_client_with_a_certificate_and_for_no_other(
    collector_binary: Path, certificates: Certificates, tmp_path: Path
) -> None:
    with Collector(
        collector_binary, tmp_path, certificates=certificates, client_certificates_required=True
    ) as collector:
        emit_expected(
            OTLPLogExporter(
                endpoint=collector.logs_endpoint,
                certificate_file=str(certificates.ca),
                client_certificate_file=str(certificates.client_certificate),
                client_key_file=str(certificates.client_key),
            )
        )
        assert collector.wait_for_log_records(1) == [EXPECTED]
        anonymous = OTLPLogExporter(
            endpoint=collector.logs_endpoint, certificate_file=str(certificates.ca), timeout=1
        )
        assert anonymous.export([]) is LogRecordExportResult.FAILURE
        anonymous.shutdown()


def test_another_pipeline_can_be_added(collector_binary: Path, tmp_path: Path) -> None:
    [port] = free_ports(1)
    hec = {"endpoint": f"127.0.0.1:{port}", "ack": {"extension": "ack"}}
    extra = {
        "receivers": {"splunk_hec": hec},
        "extensions": {"ack": {}},
        "service": {"extensions": ["ack"], "pipelines": {"logs": {"receivers": ["splunk_hec"]}}},
    }
    with Collector(collector_binary, tmp_path, extra=extra) as collector:
        import json
        import urllib.request

        event = json.dumps({"event": "hello", "time": 1700000000.5, "sourcetype": "app"}).encode()
        url = f"http://127.0.0.1:{port}/services/collector/event"
        channel = {"X-Splunk-Request-Channel": "6f0b2a36-5f0a-4f5e-9b7a-1d8c1a3e7f10"}
        urllib.request.urlopen(urllib.request.Request(url, data=event, headers=channel), timeout=5)
        [record] = collector.wait_for_log_records(1)
    assert (record.body, record.resource) == ("hello", {"com.splunk.sourcetype": "app"})


def test_records_are_kept_over_a_restart_and_the_file_grows(collector_binary: Path, tmp_path: Path) -> None:
    collector = Collector(collector_binary, tmp_path)
    for _ in range(2):
        with collector:
            emit_expected(OTLPLogExporter(endpoint=collector.logs_endpoint))
    assert collector.log_records() == [EXPECTED, EXPECTED]


def test_a_collector_that_does_not_start_says_why(collector_binary: Path, tmp_path: Path) -> None:
    extra = {"service": {"pipelines": {"logs": {"receivers": ["nothing"]}}}}
    with pytest.raises(CollectorError, match=r'references receiver "nothing" which is not configured'):
        Collector(collector_binary, tmp_path, extra=extra).start()
