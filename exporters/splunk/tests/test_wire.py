"""Over a real connection, behind a provider: by name, beside OTLP, in any OpenTelemetry application."""

import threading
import time
from collections import Counter
from importlib.metadata import entry_points

import pytest
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource

import fapilog
from fapilog.testing import ExporterConformance, OtlpReceiver
from fapilog_exporter_splunk import SplunkHecExporter, SplunkHecLogExporter
from tests.servers.certificates import make_certificates
from tests.servers.hec import TOKEN, Fault, Hec, HecServer, Token

CARD = " ".join(("4111", "1111", "1111", "1111"))
SECRET = "not-a-" + "password"
QUICK = {
    "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 20},
    "breaker_pause_millis": 20,
}


def settings(**given):
    return fapilog.Settings.load(environ={}, **{"delivery": QUICK, **given})


def numbers(server: HecServer) -> Counter:
    return Counter(event["fields"]["number"] for event in server.hec.events)


def emit(provider, count: int, first: int = 0) -> None:
    logger = provider.get_logger("orders")
    for number in range(first, first + count):
        logger.emit(body=f"record {number}", attributes={"number": number})


class TestConformance(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _running(self, server):
        self.server = server

    def make_exporter(self):
        return SplunkHecExporter(url=self.server.url, token=TOKEN)

    def received(self):
        return len(self.server.hec.events)

    def break_destination(self):
        self.server.stop()


class TestConformanceByName(TestConformance):
    def make_exporter(self):
        return SplunkHecLogExporter(url=self.server.url, token=TOKEN)


def test_it_stands_beside_otlp_by_its_name_from_the_environment(server, monkeypatch):
    with OtlpReceiver() as receiver:
        for name, value in {
            "FAPILOG_EXPORTERS": "otlp,splunk_hec",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": receiver.logs_endpoint,
            "FAPILOG_SPLUNK_URL": server.url,
            "SPLUNK_HEC_TOKEN": TOKEN,
            "FAPILOG_SPLUNK_INDEX": "main",
        }.items():
            monkeypatch.setenv(name, value)
        provider = fapilog.LoggerProvider()
        emit(provider, 20)
        assert provider.force_flush(30_000)
        assert provider.shutdown()
        sides = provider.ledger().exporters
        assert {name: side.delivered for name, side in sides.items()} == {"otlp": 20, "splunk_hec": 20}
        assert len(receiver.log_records) == 20
    assert numbers(server) == Counter(range(20))
    assert {event["index"] for event in server.hec.events} == {"main"}
    assert server.hec.violations == []


def test_a_name_without_settings_says_which_variables_are_missing():
    with pytest.raises(fapilog.ConfigurationError) as raised:
        fapilog.LoggerProvider(settings=settings(), exporters=["splunk_hec"])
    assert "FAPILOG_SPLUNK_URL" in str(raised.value)


def test_a_card_number_and_a_password_are_gone_before_it(server):
    exporter = SplunkHecExporter(url=server.url, token=TOKEN)
    provider = fapilog.LoggerProvider(settings=settings(redaction={"mode": "scan"}), exporters=[exporter])
    provider.get_logger("orders").emit(
        body=f"paid with {CARD}", attributes={"card": CARD, "password": SECRET, "note": f"see {CARD}"}
    )
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    (event,) = server.hec.events
    assert event["event"].startswith("paid with ")
    assert CARD not in str(server.hec.requests)
    assert CARD not in str(event)
    assert SECRET not in str(event)


def test_any_opentelemetry_application_finds_it_by_its_entry_point(server, monkeypatch):
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "splunk_hec")
    monkeypatch.setenv("SPLUNK_HEC_URL", f"{server.url}/services/collector")
    monkeypatch.setenv("SPLUNK_HEC_TOKEN", TOKEN)
    monkeypatch.setenv("FAPILOG_REDACTION", "scan")
    (point,) = entry_points(group="opentelemetry_logs_exporter", name="splunk_hec")
    found = point.load()
    assert issubclass(found, LogRecordExporter)  # as the SDK checks
    exporter = found()
    provider = SdkLoggerProvider(resource=Resource({"service.name": "checkout", "host.name": "web-3"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    emit(provider, 50)
    provider.get_logger("orders").emit(body=f"card {CARD}", attributes={"number": 50})
    assert provider.force_flush(30_000)
    assert exporter.force_flush(30_000)
    provider.shutdown()
    assert numbers(server) == Counter(range(51))
    assert CARD not in str(server.hec.events)
    assert {event["host"] for event in server.hec.events} == {"web-3"}
    assert {event["fields"]["service.name"] for event in server.hec.events} == {"checkout"}
    assert exporter.ledger().balanced
    assert exporter.export([]).name == "FAILURE"


def test_several_requests_are_on_their_way_at_once(server):
    together, arrived = threading.Barrier(3), []

    def hold(request):
        arrived.append(request)
        return

    answer = server.hec.answer

    def answer_together(request):
        if len(arrived) < 3:
            hold(request)
            together.wait(30)
        return answer(request)

    server.hec.answer = answer_together
    exporter = SplunkHecExporter(url=server.url, token=TOKEN)
    blocks = {"max_block_records": 1, "chunk_bytes": 2_048, "record_bytes": 1_024}
    provider = fapilog.LoggerProvider(settings=settings(buffer=blocks), exporters=[exporter])
    emit(provider, 12)
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    assert numbers(server) == Counter(range(12))


@pytest.mark.parametrize("ack", [False, True])
def test_resets_storms_and_restarts_lose_nothing_with_a_spool(ack, tmp_path):
    server = HecServer(Hec({TOKEN: Token(use_ack=ack)}))
    server.start()
    exporter = SplunkHecExporter(
        url=server.url, token=TOKEN, ack=ack, ack_poll_millis=5, ack_timeout_millis=2_000
    )
    buffer = {"limit_bytes": 1 << 20, "chunk_bytes": 1 << 16, "schedule_delay_millis": 10, "overflow": "wait"}
    given = settings(spool={"directory": tmp_path / "spool"}, buffer=buffer)
    provider = fapilog.LoggerProvider(settings=given, exporters=[exporter])
    server.hec.faults.extend(
        [Fault(take=0, status=0), Fault(take=3, numbered=True), Fault(), Fault(status=429, code=None)] * 5
    )
    emit(provider, 500)
    server.wait_until(lambda hec: len(hec.requests) > 8)
    server.stop()
    emit(provider, 500, first=500)
    server.start()
    emit(provider, 500, first=1_000)
    server.hec.faults.extend([Fault(take=None, status=0)] * 2)
    emit(provider, 500, first=1_500)
    assert provider.force_flush(60_000), str(provider.ledger())
    assert provider.shutdown()
    server.stop()
    found = numbers(server)
    assert set(found) == set(range(2_000))
    assert found.total() - len(found) <= exporter.statistics.resent
    side = provider.ledger().exporters["splunk_hec"]
    assert (side.delivered, side.pending) == (2_000, 0)
    assert server.hec.violations == []


def test_a_refused_token_is_said_without_showing_it(server, capfd):
    server.hec.tokens = {}
    leaking = server.hec.answer
    exporter = SplunkHecExporter(url=server.url, token=TOKEN, refused_token_pause_millis=10)
    exporter.name = "splunk_refused"  # what is said about one name is said once a minute

    def answer(request):
        found = leaking(request)
        return type(found)(found.status, found.body + f" you sent {TOKEN}".encode(), found.headers)

    server.hec.answer = answer
    provider = fapilog.LoggerProvider(settings=settings(), exporters=[exporter])
    emit(provider, 5)
    server.wait_until(lambda hec: len(hec.requests) >= 2)
    server.hec.tokens = {TOKEN: Token()}
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    assert numbers(server) == Counter(range(5))
    said = "".join(capfd.readouterr())
    assert "check the token" in said
    assert TOKEN not in said


def test_health_is_asked_for_before_the_first_request(server):
    server.hec.healthy = False
    exporter = SplunkHecExporter(url=server.url, token=TOKEN, health_check=True)
    provider = fapilog.LoggerProvider(settings=settings(), exporters=[exporter])
    emit(provider, 5)
    server.wait_until(lambda hec: len(hec.requests) >= 2)
    assert {request.method for request in server.hec.requests} == {"GET"}
    server.hec.healthy = True
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    assert numbers(server) == Counter(range(5))


async def test_health_and_events_go_over_tls_to_a_collector_with_a_certificate_of_its_own(tmp_path):
    certificates = make_certificates(tmp_path)
    with HecServer(certificates=certificates) as server:
        exporter = SplunkHecExporter(url=server.url, token=TOKEN, certificate=certificates.ca)
        assert (await exporter.check_health())[0] == 200
        from exporters.splunk.tests.numbered import numbered

        assert (await exporter.export_batch(numbered(5))).delivered == 5
        stranger = SplunkHecExporter(url=server.url, token=TOKEN)
        assert (await stranger.export_batch(numbered(5))).retry
        with pytest.raises(OSError, match=r"(?i)certificate"):
            await stranger.check_health()


def test_a_collector_that_never_answers_does_not_hold_up_the_end():
    with HecServer() as server:
        release = threading.Event()
        server.hec.choose = lambda request: release.wait(30) and None
        exporter = SplunkHecExporter(url=server.url, token=TOKEN)
        given = settings(buffer={"shutdown_timeout_millis": 100})
        provider = fapilog.LoggerProvider(settings=given, exporters=[exporter])
        emit(provider, 3)
        begun = time.monotonic()
        assert not provider.shutdown()
        assert time.monotonic() - begun < 20
        release.set()
        assert provider.ledger().balanced
