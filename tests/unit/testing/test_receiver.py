"""Proves the misbehaving receiver itself, with the stock OTLP exporter and with plain HTTP clients.

Length reason: one test for each way to misbehave, over the same clients and certificates.
"""

import gzip
import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fapilog.testing import (
    CloseWithoutAnswer,
    Exchange,
    Garbage,
    Hold,
    Ok,
    OtlpReceiver,
    ReceivedLogRecord,
    ResetMidBody,
    SlowBody,
    Status,
)
from tests.servers.certificates import Certificates, make_certificates

BODY = "hello"


def logs_request(*bodies: str) -> bytes:
    request = ExportLogsServiceRequest()
    scope_logs = request.resource_logs.add().scope_logs.add()
    for body in bodies or (BODY,):
        scope_logs.log_records.add(severity_number=9).body.string_value = body
    return request.SerializeToString()


class Client:
    """One keep-alive connection to the receiver."""

    def __init__(self, receiver: OtlpReceiver) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=5)

    def post(
        self, data: bytes | None = None, path: str = "/v1/logs", **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        sent = {"Content-Type": "application/x-protobuf"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.connection.request("POST", path, logs_request() if data is None else data, sent)
        response = self.connection.getresponse()
        return response.status, response.read(), response.headers


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def client(receiver: OtlpReceiver) -> Iterator[Client]:
    made = Client(receiver)
    yield made
    made.connection.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("compression", list(Compression))
def test_a_record_of_the_stock_exporter_arrives_in_plain_values(
    receiver: OtlpReceiver, compression: Compression
) -> None:
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPLogExporter(endpoint=receiver.logs_endpoint, compression=compression)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    from opentelemetry._logs import SeverityNumber

    provider.get_logger("orders", "1.2", attributes={"team": "x"}).emit(
        timestamp=5,
        observed_timestamp=6,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body={"text": "late", "sizes": [1, 2.5, True, b"\x00", None]},
        attributes={"order.id": 7},
        event_name="order.late",
    )
    provider.shutdown()
    assert receiver.wait_for_log_records(1) == [
        ReceivedLogRecord(
            time_unix_nano=5,
            observed_time_unix_nano=6,
            severity_number=13,
            severity_text="WARN",
            body={"text": "late", "sizes": [1, 2.5, True, b"\x00", None]},
            attributes={"order.id": 7},
            event_name="order.late",
            scope_name="orders",
            scope_version="1.2",
            scope_attributes={"team": "x"},
            resource={"service.name": "shop"},
        )
    ]


def test_trace_and_span_ids_arrive_as_hex_and_repeated_keys_are_reported(
    receiver: OtlpReceiver, client: Client
) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(flags=1, dropped_attributes_count=2)
    record.trace_id, record.span_id = bytes(range(16)), bytes(range(8))
    for value in ("first", "second"):
        record.attributes.add(key="twice").value.string_value = value
    client.post(request.SerializeToString())
    assert receiver.log_records == [
        ReceivedLogRecord(
            trace_id="000102030405060708090a0b0c0d0e0f",
            span_id="0001020304050607",
            flags=1,
            dropped_attributes_count=2,
            attributes={"twice": "second"},
            repeated_keys=("twice",),
        )
    ]


def test_a_request_is_kept_as_it_was_on_the_wire(receiver: OtlpReceiver, client: Client) -> None:
    packed = gzip.compress(logs_request())
    status, body, _ = client.post(packed, Content_Encoding="gzip", X_Tenant="blue")
    [request] = receiver.requests
    assert (status, body) == (200, b"")
    assert (request.path, request.body, request.headers["x-tenant"]) == ("/v1/logs", packed, "blue")
    assert request.message == ExportLogsServiceRequest.FromString(logs_request())
    assert request.peer_port == client.connection.sock.getsockname()[1]


def test_gzip_of_several_members_is_one_body(receiver: OtlpReceiver, client: Client) -> None:
    # Protobuf messages that follow each other merge, so two blocks may share one request.
    client.post(
        gzip.compress(logs_request("a")) + gzip.compress(logs_request("b", "c")), Content_Encoding="gzip"
    )
    assert [record.body for record in receiver.log_records] == ["a", "b", "c"]


def test_requests_on_one_connection_count_as_one_connection(receiver: OtlpReceiver, client: Client) -> None:
    for _ in range(3):
        client.post()
    assert (receiver.connections, len({request.peer_port for request in receiver.requests})) == (1, 1)
    other = Client(receiver)
    other.post()
    other.connection.close()
    assert (receiver.connections, receiver.log_record_count) == (2, 4)


@pytest.mark.parametrize(
    ("data", "path", "headers", "status"),
    [
        (b"\xff\xff", "/v1/logs", {}, 400),
        (b"not gzip", "/v1/logs", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"x" * 99, mtime=0)[:-4], "/v1/logs", {"Content-Encoding": "gzip"}, 400),
        (zlib.compress(b"x" * 99)[:-4], "/v1/logs", {"Content-Encoding": "deflate"}, 400),
        (b"", "/v1/nothing", {}, 404),
        (b"", "/v1/logs", {"Content-Length": "many"}, 411),
        (b"", "/v1/logs", {"Content-Length": "99999999999"}, 413),
        (gzip.compress(bytes(65 * 1024 * 1024), mtime=0), "/v1/logs", {"Content-Encoding": "gzip"}, 413),
        (b"{}", "/v1/logs", {"Content-Type": "text/json"}, 415),
        (b"", "/v1/logs", {"Content-Encoding": "br"}, 415),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, int | str) else None,
)
def test_what_cannot_be_read_is_refused_and_uses_up_no_answer(
    receiver: OtlpReceiver, client: Client, data: bytes, path: str, headers: dict[str, str], status: int
) -> None:
    receiver.answer_with(Status(503))
    assert client.post(data, path, **headers)[0] == status
    assert [request.message for request in receiver.wait_for_requests(1)] == [None]
    assert client.post()[0] == 503
    assert receiver.log_records == []


@pytest.mark.parametrize(
    ("path", "response", "field"),
    [
        ("/v1/logs", ExportLogsServiceResponse(), "rejected_log_records"),
        ("/v1/traces", ExportTraceServiceResponse(), "rejected_spans"),
        ("/v1/metrics", ExportMetricsServiceResponse(), "rejected_data_points"),
    ],
)
def test_a_partial_success_has_the_form_of_its_signal(
    receiver: OtlpReceiver, client: Client, path: str, response: ExportLogsServiceResponse, field: str
) -> None:
    receiver.answer_with(Ok(rejected=3, message="too old"))
    _, body, _ = client.post(b"", path)
    response.ParseFromString(body)
    assert (getattr(response.partial_success, field), response.partial_success.error_message) == (
        3,
        "too old",
    )
    assert client.post(b"", path)[:2] == (200, b"")


def test_a_status_comes_with_retry_after_and_a_protobuf_body_and_takes_no_records(
    receiver: OtlpReceiver, client: Client
) -> None:
    receiver.answer_with(
        Status(429, retry_after=7),
        Status(599, body=b"<html>", headers={"Content-Type": "text/html"}),
    )
    status, body, headers = client.post()
    assert (status, headers["Retry-After"]) == (429, "7")
    assert RpcStatus.FromString(body).message == "scripted 429"
    status, body, headers = client.post()
    assert (status, body, headers["Content-Type"], headers["Retry-After"]) == (
        599,
        b"<html>",
        "text/html",
        None,
    )
    assert (receiver.log_records, len(receiver.requests)) == ([], 2)


def test_the_stock_exporter_retries_after_503_and_delivers_once(receiver: OtlpReceiver) -> None:
    receiver.answer_with(Status(503, retry_after=0), Status(503, retry_after=0))
    exporter = OTLPLogExporter(endpoint=receiver.logs_endpoint)
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("orders").emit(body=BODY)
    provider.shutdown()
    assert (len(receiver.requests), [record.body for record in receiver.log_records]) == (3, [BODY])


def test_the_stock_exporter_gives_up_on_400(receiver: OtlpReceiver) -> None:
    receiver.answer_always_with(Status(400))
    exporter = OTLPLogExporter(endpoint=receiver.logs_endpoint)
    assert exporter.export([]) is LogRecordExportResult.FAILURE
    exporter.shutdown()
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("take_records", "taken"), [(False, 0), (True, 1)])
def test_close_without_answer_ends_the_connection_after_the_request(
    receiver: OtlpReceiver, client: Client, take_records: bool, taken: int
) -> None:
    receiver.answer_with(CloseWithoutAnswer(take_records=take_records))
    with pytest.raises(http.client.RemoteDisconnected):
        client.post()
    assert (len(receiver.requests), receiver.log_record_count) == (1, taken)


@pytest.mark.parametrize(("take_records", "taken"), [(False, 0), (True, 1)])
def test_reset_mid_body_breaks_the_connection_inside_a_200(
    receiver: OtlpReceiver, client: Client, take_records: bool, taken: int
) -> None:
    receiver.answer_with(ResetMidBody(take_records=take_records))
    client.connection.request("POST", "/v1/logs", logs_request(), {"Content-Type": "application/x-protobuf"})
    response = client.connection.getresponse()
    with pytest.raises(ConnectionResetError):
        response.read()
    assert (response.status, receiver.log_record_count) == (200, taken)


def test_hold_answers_when_released_and_not_before(receiver: OtlpReceiver, client: Client) -> None:
    release = threading.Event()
    receiver.answer_with(Hold(release, then=Ok(message="late")))
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(client.post()[0]))
    waiting.start()
    receiver.wait_for_requests(1)
    assert (answers, receiver.log_record_count) == ([], 0)
    release.set()
    waiting.join(5)
    assert (answers, receiver.log_record_count) == ([200], 1)


def test_slow_body_sends_its_head_first_and_then_all_pieces(receiver: OtlpReceiver, client: Client) -> None:
    receiver.answer_with(SlowBody(pause_seconds=0.01, piece_bytes=4, body=b"0123456789"))
    client.connection.request("POST", "/v1/logs", logs_request(), {"Content-Type": "application/x-protobuf"})
    started = time.monotonic()
    response = client.connection.getresponse()
    assert [response.read(4), response.read(4), response.read()] == [b"0123", b"4567", b"89"]
    assert time.monotonic() - started >= 0.03
    assert client.post()[0] == 200


def test_slow_body_is_a_valid_response_by_default(receiver: OtlpReceiver, client: Client) -> None:
    receiver.answer_with(SlowBody(pause_seconds=0))
    response = ExportLogsServiceResponse.FromString(client.post()[1])
    assert response.partial_success.error_message == "slow receiver"


def test_garbage_is_a_200_without_a_message_or_no_http_at_all(receiver: OtlpReceiver, client: Client) -> None:
    from google.protobuf.message import DecodeError

    receiver.answer_with(Garbage(), Garbage(instead_of_http=True))
    status, body, _ = client.post()
    assert status == 200
    with pytest.raises(DecodeError):
        ExportLogsServiceResponse.FromString(body)
    with pytest.raises(http.client.BadStatusLine):
        client.post()


def test_a_test_may_bring_its_own_answer(receiver: OtlpReceiver, client: Client) -> None:
    class Teapot:
        def send(self, exchange: Exchange) -> None:
            exchange.respond(418, exchange.request.path.encode())

    receiver.answer_with(Teapot())
    assert client.post()[:2] == (418, b"/v1/logs")


def test_refused_connections_are_refused_and_accepted_again_on_the_same_port(
    receiver: OtlpReceiver, client: Client
) -> None:
    endpoint = receiver.logs_endpoint
    client.post()
    receiver.refuse_connections()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", receiver.port), timeout=5)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.post()
    receiver.accept_again()
    assert receiver.logs_endpoint == endpoint
    assert Client(receiver).post()[0] == 200
    assert (receiver.connections, receiver.log_record_count) == (2, 2)


def test_refusing_connections_breaks_off_an_answer_on_hold(receiver: OtlpReceiver, client: Client) -> None:
    receiver.answer_with(Hold(threading.Event()))
    outcome: list[Exception] = []

    def post() -> None:
        try:
            client.post()
        except (OSError, http.client.HTTPException) as error:
            outcome.append(error)

    waiting = threading.Thread(target=post)
    waiting.start()
    receiver.wait_for_requests(1)
    receiver.refuse_connections()
    waiting.join(5)
    assert len(outcome) == 1
    assert receiver.log_records == []


def test_close_ends_all_threads_soon_even_with_idle_and_held_connections() -> None:
    before = set(threading.enumerate())
    receiver = OtlpReceiver()
    receiver.start()
    idle, held = Client(receiver), Client(receiver)
    idle.post()
    receiver.answer_with(Hold(threading.Event()))
    held.connection.request("POST", "/v1/logs", logs_request(), {"Content-Type": "application/x-protobuf"})
    receiver.wait_for_requests(2)
    assert receiver.close(timeout_seconds=5) is True
    assert set(threading.enumerate()) - before == set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", receiver.port), timeout=5)
    for client in (idle, held):
        client.connection.close()


def test_waiting_in_vain_says_what_came_instead(receiver: OtlpReceiver, client: Client) -> None:
    receiver.answer_with(Status(503))
    client.post()
    with pytest.raises(TimeoutError) as error:
        receiver.wait_for_log_records(2, timeout_seconds=0.01)
    assert str(error.value) == (
        "OtlpReceiver: 0 of 2 log records within 0.01 s"
        " (1 requests, 0 log records taken, 1 connections, 0 failed TLS handshakes)"
    )


def test_records_of_many_threads_are_all_kept(receiver: OtlpReceiver) -> None:
    def send(number: int) -> None:
        client = Client(receiver)
        for index in range(20):
            client.post(logs_request(f"{number}-{index}"))
        client.connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    bodies = [record.body for record in receiver.wait_for_log_records(160)]
    for thread in threads:
        thread.join(5)
    assert sorted(bodies) == sorted(f"{number}-{index}" for number in range(8) for index in range(20))
    assert receiver.connections == 8


def test_tls_needs_a_client_that_trusts_the_authority(certificates: Certificates) -> None:
    with OtlpReceiver(certificate=certificates.server_certificate, key=certificates.server_key) as receiver:
        exporter = OTLPLogExporter(endpoint=receiver.logs_endpoint, certificate_file=str(certificates.ca))
        assert exporter.export([]) is LogRecordExportResult.SUCCESS
        exporter.shutdown()
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(receiver.logs_endpoint, data=b"", timeout=5)
        assert receiver.endpoint.startswith("https://127.0.0.1:")
        assert (len(receiver.requests), len(receiver.wait_for_handshake_errors(1))) == (1, 1)


def test_mutual_tls_needs_a_client_with_a_certificate(certificates: Certificates) -> None:
    with OtlpReceiver(
        certificate=certificates.server_certificate, key=certificates.server_key, client_ca=certificates.ca
    ) as receiver:
        exporter = OTLPLogExporter(
            endpoint=receiver.logs_endpoint,
            certificate_file=str(certificates.ca),
            client_certificate_file=str(certificates.client_certificate),
            client_key_file=str(certificates.client_key),
        )
        assert exporter.export([]) is LogRecordExportResult.SUCCESS
        exporter.shutdown()
        anonymous = ssl.create_default_context(cafile=str(certificates.ca))
        with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset, as TLS 1.3 has it
            urllib.request.urlopen(receiver.logs_endpoint, data=b"", timeout=5, context=anonymous)
        receiver.wait_for_handshake_errors(1)
        assert len(receiver.requests) == 1


def test_a_client_that_never_finishes_its_handshake_blocks_no_other(certificates: Certificates) -> None:
    with OtlpReceiver(certificate=certificates.server_certificate, key=certificates.server_key) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=5):
            exporter = OTLPLogExporter(endpoint=receiver.logs_endpoint, certificate_file=str(certificates.ca))
            assert exporter.export([]) is LogRecordExportResult.SUCCESS
            exporter.shutdown()
        assert receiver.close() is True


def test_tls_settings_without_a_certificate_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key and client_ca need a certificate"):
        OtlpReceiver(key=tmp_path / "key.pem")


def test_the_wrong_order_of_calls_is_refused_with_the_right_one(receiver: OtlpReceiver) -> None:
    with pytest.raises(RuntimeError, match=r"accept_again\(\) needs refuse_connections\(\) before it"):
        receiver.accept_again()
    with pytest.raises(RuntimeError, match="it was started before"):
        receiver.start()
    with pytest.raises(RuntimeError, match="use it in a `with` statement"):
        _ = OtlpReceiver().endpoint
    receiver.refuse_connections()
    with pytest.raises(RuntimeError, match="it does not accept connections now"):
        receiver.refuse_connections()


def test_a_port_in_use_is_an_error_and_a_wanted_port_is_taken(receiver: OtlpReceiver) -> None:
    with pytest.raises(OSError, match="in use"):
        OtlpReceiver(port=receiver.port).start()
    receiver.close()
    with OtlpReceiver(port=receiver.port) as second:
        assert second.port == receiver.port
