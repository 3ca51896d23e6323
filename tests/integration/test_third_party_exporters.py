"""OpenTelemetry's own exporters behind our pipeline, against real servers: they send what stock sends."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from opentelemetry.sdk.resources import Resource

from fapilog import FapilogLogRecordProcessor, LoggerProvider, Settings
from fapilog.testing import OtlpReceiver, Status
from fapilog.testing.decoding import decode_log_records
from tests.servers.grpc_receiver import GrpcReceiver, Reply

PATIENCE_MILLIS = 20_000
RESOURCE = Resource({"service.name": "shop", "host.id": 7})
EMPTY = {"environ": {}, "sequence": False}


def emit(provider: Any) -> None:
    """Records of all shapes, with all their times, through the API of any provider."""
    span = trace.NonRecordingSpan(trace.SpanContext(2**90 + 1, 2**50 + 1, False, trace.TraceFlags(1)))
    context = trace.set_span_in_context(span)
    logger = provider.get_logger("orders", "1.0", "https://example.org/schema", {"team": "a"})
    for number in range(3):
        logger.emit(
            timestamp=1_700_000_000_000_000_000 + number,
            observed_timestamp=1_700_000_000_000_001_000 + number,
            context=context,
            severity_number=SeverityNumber.ERROR3,
            severity_text="ERROR3",
            body={"order": {"id": number, "tags": ["a", 1, None]}},
            attributes={"a": 1, "b": True, "c": [1.5, 2.5], "d": "\u00fc"},
            event_name="order.failed",
        )
    provider.get_logger("bare").emit(observed_timestamp=1, severity_number=SeverityNumber.WARN, body="")


def ours(exporter: Any) -> LoggerProvider:
    return LoggerProvider(RESOURCE, settings=Settings.load(**EMPTY), exporters=[exporter])


def stock_with_our_processor(exporter: Any) -> SdkLoggerProvider:
    provider = SdkLoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(FapilogLogRecordProcessor(exporter, settings=Settings.load(environ={})))
    return provider


def stock(exporter: Any) -> SdkLoggerProvider:
    provider = SdkLoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


OURS = [ours, stock_with_our_processor]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def sent_by(provider: Any) -> None:
    emit(provider)
    assert provider.force_flush(PATIENCE_MILLIS)
    provider.shutdown()


@pytest.mark.parametrize("make", OURS)
def test_the_http_exporter_sends_what_it_sends_behind_stock(make: Any, receiver: OtlpReceiver):
    sent_by(make(HttpExporter(receiver.logs_endpoint)))
    found = receiver.log_records
    with OtlpReceiver() as other:
        sent_by(stock(HttpExporter(other.logs_endpoint)))
        assert found == other.log_records
    assert len(found) == 4


@pytest.mark.parametrize("make", OURS)
def test_the_grpc_exporter_sends_what_it_sends_behind_stock(make: Any):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    def received(make_provider: Any) -> list[Any]:
        with GrpcReceiver() as server:
            sent_by(make_provider(GrpcExporter(f"http://127.0.0.1:{server.port}", insecure=True)))
            requests = [ExportLogsServiceRequest.FromString(call.request) for call in server.calls]
        return [record for request in requests for record in decode_log_records(request)]

    found = received(make)
    assert found == received(stock)
    assert len(found) == 4


@pytest.mark.parametrize("make", OURS)
def test_the_console_exporter_prints_what_it_prints_behind_stock(make: Any):
    def printed(make_provider: Any) -> list[Any]:
        out = io.StringIO()
        exporter = ConsoleLogRecordExporter(out, lambda record: record.to_json(None) + "\n")
        sent_by(make_provider(exporter))
        return [json.loads(line) for line in out.getvalue().splitlines()]

    assert printed(make) == printed(stock)


def test_what_the_http_exporter_gives_up_is_rejected_in_the_ledger(receiver: OtlpReceiver):
    receiver.answer_always_with(Status(400))
    provider = ours(HttpExporter(receiver.logs_endpoint))
    emit(provider)
    assert provider.force_flush(PATIENCE_MILLIS)
    side = provider.ledger().exporters["OTLPLogExporter"]
    assert (side.delivered, side.rejected, side.pending) == (0, 4, 0)
    provider.shutdown()


def test_what_the_grpc_exporter_gives_up_is_rejected_in_the_ledger():
    import grpc

    with GrpcReceiver(*[Reply(grpc.StatusCode.INVALID_ARGUMENT)] * 3) as server:
        provider = ours(GrpcExporter(f"http://127.0.0.1:{server.port}", insecure=True))
        emit(provider)
        assert provider.force_flush(PATIENCE_MILLIS)
        side = provider.ledger().exporters["OTLPLogExporter"]
        assert (side.delivered, side.rejected, side.pending) == (0, 4, 0)
        provider.shutdown()
