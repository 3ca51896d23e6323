"""Behind a provider: by name, beside OTLP, in any OpenTelemetry application; over TLS; with a spool."""

from importlib.metadata import entry_points

import pytest
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource

import fapilog
from exporters.syslog.tests.records import numbered, numbers, quick
from fapilog.testing import ExporterConformance, OtlpReceiver
from fapilog_exporter_syslog import SyslogExporter, SyslogLogExporter
from tests.servers.certificates import make_certificates
from tests.servers.syslog import Fault, SyslogServer

CARD = " ".join(("4111", "1111", "1111", "1111"))
SECRET = "not-a-" + "password"
QUICK = {"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 20}, "breaker_pause_millis": 20}


def settings(**given):
    return fapilog.Settings.load(environ={}, **{"delivery": QUICK, **given})


def emit(provider, count, first=0):
    logger = provider.get_logger("orders")
    for number in range(first, first + count):
        logger.emit(body=f"record {number}", attributes={"number": number})


class TestConformance(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _running(self, server):
        self.server = server

    def make_exporter(self):
        self.exporter = quick(self.server.endpoint)
        return self.exporter

    def received(self):
        # They are delivered when the server's kernel has them; its thread may need a moment more.
        self.server.wait_until(lambda it: len(it.messages) >= self.exporter.statistics.delivered)
        return len(self.server.messages)

    def break_destination(self):
        self.server.stop()


class TestConformanceByName(TestConformance):
    def make_exporter(self):
        self.exporter = SyslogLogExporter(endpoint=self.server.endpoint, settle_millis=40)
        return self.exporter


def test_it_stands_beside_otlp_by_its_name_from_the_environment(server, monkeypatch):
    with OtlpReceiver() as receiver:
        for name, value in {
            "FAPILOG_EXPORTERS": "otlp,syslog",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": receiver.logs_endpoint,
            "FAPILOG_SYSLOG_ENDPOINT": server.endpoint,
            "FAPILOG_SYSLOG_FACILITY": "local3",
        }.items():
            monkeypatch.setenv(name, value)
        provider = fapilog.LoggerProvider()
        emit(provider, 20)
        assert provider.force_flush(30_000)
        assert provider.shutdown()
        sides = provider.ledger().exporters
        assert {name: side.delivered for name, side in sides.items()} == {"otlp": 20, "syslog": 20}
        assert len(receiver.log_records) == 20
    assert set(numbers(server.messages).items()) == {(number, 1) for number in range(20)}
    assert {message.facility for message in server.messages} == {19}
    assert server.violations == []


def test_a_name_without_settings_says_which_variable_is_missing():
    with pytest.raises(fapilog.ConfigurationError) as raised:
        fapilog.LoggerProvider(settings=settings(), exporters=["syslog"])
    assert "FAPILOG_SYSLOG_ENDPOINT" in str(raised.value)


def test_a_card_number_and_a_password_are_gone_before_it(server):
    exporter = quick(server.endpoint)
    provider = fapilog.LoggerProvider(settings=settings(redaction={"mode": "scan"}), exporters=[exporter])
    provider.get_logger("orders").emit(
        body=f"paid with {CARD}", attributes={"card": CARD, "password": SECRET, "note": f"see {CARD}"}
    )
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    (message,) = server.messages
    assert message.text.startswith("paid with ")
    assert CARD.encode() not in message.raw
    assert SECRET.encode() not in message.raw


def test_any_opentelemetry_application_finds_it_by_its_entry_point(server, monkeypatch):
    monkeypatch.setenv("FAPILOG_SYSLOG_ENDPOINT", server.endpoint)
    monkeypatch.setenv("FAPILOG_REDACTION", "scan")
    (point,) = entry_points(group="opentelemetry_logs_exporter", name="syslog")
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
    assert numbers(server.messages) == dict.fromkeys(range(51), 1)
    assert CARD.encode() not in b"".join(message.raw for message in server.messages)
    assert {(message.app_name, message.hostname) for message in server.messages} == {("checkout", "web-3")}
    assert exporter.ledger().balanced
    assert repr(exporter) == f"<SyslogLogExporter to {server.endpoint}>"
    assert exporter.statistics.delivered == 51


def test_resets_and_restarts_lose_nothing_with_a_spool(tmp_path):
    server = SyslogServer()
    server.start()
    exporter = quick(server.endpoint, settle_millis=500)
    buffer = {"limit_bytes": 1 << 20, "chunk_bytes": 1 << 16, "schedule_delay_millis": 10, "overflow": "wait"}
    given = settings(spool={"directory": tmp_path / "spool"}, buffer=buffer)
    provider = fapilog.LoggerProvider(settings=given, exporters=[exporter])
    server.faults.extend([Fault(take=0), Fault(take=30)] * 2)
    emit(provider, 500)
    server.wait_until(lambda it: it.connections > 4)
    server.stop(reset=True)
    emit(provider, 500, first=500)
    server.start()
    emit(provider, 500, first=1_000)
    assert provider.force_flush(60_000), str(provider.ledger())
    assert provider.shutdown()
    server.stop()
    found = numbers(server.messages)
    assert set(found) == set(range(1_500))
    assert found.total() - len(found) <= exporter.statistics.resent
    side = provider.ledger().exporters["syslog"]
    assert (side.delivered, side.pending) == (1_500, 0)
    assert server.violations == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def client(certificates):
    return {
        "certificate": certificates.ca,
        "client_certificate": certificates.client_certificate,
        "client_key": certificates.client_key,
    }


async def test_tls_with_a_client_certificate(certificates):
    with SyslogServer(certificates, client_certificates=True) as server:
        exporter = quick(server.endpoint, **client(certificates))
        assert (await exporter.export_batch(numbered(500, padding=200))).delivered == 500
        await exporter.shutdown(5_000)
        server.wait_until(lambda it: len(it.messages) == 500)
        assert server.violations == []


async def test_a_server_that_wants_a_client_certificate_says_so(certificates):
    with SyslogServer(certificates, client_certificates=True) as server:
        exporter = quick(server.endpoint, certificate=certificates.ca, settle_millis=5_000)
        outcome = await exporter.export_batch(numbered(5))
        assert (outcome.delivered, outcome.retry) == (0, True)
        assert server.messages == []
        # Since TLS 1.3 its alert comes after the handshake; a reset may overtake it.
        assert "certificate" in outcome.cause or "reset" in outcome.cause


async def test_a_certificate_of_an_unknown_authority_or_for_another_name_is_refused(certificates):
    with SyslogServer(certificates) as server:
        for given in ({}, {"certificate": certificates.ca, "server_name": "other.example"}):
            outcome = await quick(server.endpoint, **given).export_batch(numbered(5))
            assert (outcome.retry, outcome.error_type) == (True, "SSLCertVerificationError")
            assert "certificate verify failed" in outcome.cause
        named = quick(server.endpoint, certificate=certificates.ca, server_name="localhost")
        assert (await named.export_batch(numbered(5))).delivered == 5


async def test_tls_that_is_reset_loses_nothing(certificates):
    with SyslogServer(certificates) as server:
        server.faults.append(Fault(take=0))
        exporter = quick(server.endpoint, certificate=certificates.ca, settle_millis=1_000)
        batch = numbered(20)
        assert (await exporter.export_batch(batch)).retry
        assert (await exporter.export_batch(batch)).delivered == 20
        server.wait_until(lambda it: len(it.messages) == 20)


def test_a_certificate_that_cannot_be_used_is_a_configuration_error(tmp_path):
    for given in ({"certificate": tmp_path / "missing.pem"}, {"client_certificate": "a", "client_key": "b"}):
        with pytest.raises(fapilog.ConfigurationError, match=r"cannot be used for TLS"):
            SyslogExporter(endpoint="tls://h", **given)
