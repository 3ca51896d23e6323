"""By its name in fapilog, and in any OpenTelemetry application: redacted, counted, delivered."""

import importlib.metadata
import json

from opentelemetry.sdk._logs import LoggerProvider as OtelProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

import fapilog
from fapilog.exporters.base import is_exporter
from fapilog_exporter_elasticsearch import ElasticsearchExporter, ElasticsearchLogExporter
from tests.servers.bulk import BulkServer, Fault

CARD = "4111 1111 1111 1111"


def settings(**given):
    return fapilog.Settings.load(environ={}, buffer={"schedule_delay_millis": 10}, **given)


def log(provider, count=10):
    logger = provider.get_logger("orders")
    for number in range(count):
        logger.emit(body=f"paid {number} with {CARD}", attributes={"number": number})


def test_it_is_chosen_by_its_name(monkeypatch):
    with BulkServer() as server:
        monkeypatch.setenv("FAPILOG_ELASTICSEARCH_URLS", server.url)
        with fapilog.LoggerProvider(settings=settings(), exporters=["elasticsearch"]) as provider:
            log(provider)
            assert provider.force_flush(10_000)
            side = provider.ledger().exporters["elasticsearch"]
    assert (side.delivered, side.rejected) == (10, 0)
    assert sorted(each["attributes"]["number"] for each in server.bodies()) == list(range(10))


def test_it_is_chosen_by_a_variable(monkeypatch):
    with BulkServer() as server:
        variables = {"FAPILOG_EXPORTERS": "elasticsearch", "FAPILOG_ELASTICSEARCH_URLS": server.url}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with fapilog.LoggerProvider(settings=fapilog.Settings.load()) as provider:
            log(provider, 3)
            assert provider.force_flush(10_000)
    assert len(server.documents) == 3


def test_a_card_never_leaves():
    with BulkServer() as server:
        exporter = ElasticsearchExporter(urls=[server.url])
        chosen = settings(redaction={"mode": "scan"})
        with fapilog.LoggerProvider(settings=chosen, exporters=[exporter]) as provider:
            log(provider)
            assert provider.force_flush(10_000)
        stored = json.dumps(server.bodies())
    assert len(server.documents) == 10
    assert "paid 3 with" in stored
    assert CARD not in stored
    assert CARD.replace(" ", "") not in stored


def test_a_provider_of_opentelemetry_exports_through_it_redacted(monkeypatch):
    monkeypatch.setenv("FAPILOG_REDACTION", "scan")
    with BulkServer() as server:
        exporter = ElasticsearchLogExporter(urls=[server.url])
        provider = OtelProvider()
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        log(provider)
        provider.force_flush()
        assert exporter.force_flush(10_000)
        assert len(server.documents) == 10
        provider.shutdown()
        stored = json.dumps(server.bodies())
    assert CARD not in stored
    assert exporter.ledger() is not None
    assert exporter.ledger().exporters["elasticsearch"].delivered == 10


def test_the_entry_point_is_an_exporter_of_both_kinds():
    (point,) = importlib.metadata.entry_points(group="opentelemetry_logs_exporter", name="elasticsearch")
    assert point.load() is ElasticsearchLogExporter
    assert is_exporter(ElasticsearchLogExporter())


def test_what_is_refused_is_in_the_ledger_the_metrics_and_the_dead_letters(tmp_path, capfd):
    refused = tmp_path / "refused.jsonl"

    def verdict(sent):
        return 400 if sent.document["attributes"]["number"] % 2 else None

    with BulkServer(verdict=verdict) as server:
        exporter = ElasticsearchExporter(urls=[server.url])
        chosen = settings(delivery={"dead_letters": refused})
        with fapilog.LoggerProvider(settings=chosen, exporters=[exporter]) as provider:
            log(provider)
            assert provider.force_flush(10_000)
            side = provider.ledger().exporters["elasticsearch"]
    assert (side.delivered, side.rejected) == (5, 5)
    assert exporter.statistics.dropped == {"document_parsing_exception": 5}
    kept = [json.loads(line) for line in refused.read_text(encoding="utf-8").splitlines()]
    assert kept
    assert "document_parsing_exception" in refused.read_text(encoding="utf-8")
    assert "5 records are rejected" in capfd.readouterr().err


def test_a_server_that_restarts_with_a_spool_between_loses_nothing(tmp_path):
    chosen = settings(spool={"directory": tmp_path}, delivery={"breaker_pause_millis": 50})
    with BulkServer() as first:
        port = first.port
        exporter = ElasticsearchExporter(urls=[first.url], dead_node_millis=10, max_dead_node_millis=50)
        provider = fapilog.LoggerProvider(settings=chosen, exporters=[exporter])
        log(provider)
        assert provider.force_flush(10_000)
        first.script(Fault(after=True))
        log(provider)
        provider.force_flush(200)
    with BulkServer(port=port) as second:
        second.documents |= first.documents
        log(provider)
        assert provider.force_flush(20_000), str(provider.ledger())
        provider.shutdown()
    side = provider.ledger().exporters["elasticsearch"]
    assert (side.delivered, side.rejected) == (30, 0)
    assert len(second.documents) == 30
    assert max(second.taken.values()) == 1
    assert exporter.statistics.duplicates >= 1
