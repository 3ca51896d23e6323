"""What the exporter sends, and what it does about each answer, against the bulk fault server."""

import asyncio
import json
import logging

import pytest

from fapilog import ExportOutcome, LogBatch
from fapilog.testing.samples import sample_batch
from fapilog_exporter_elasticsearch import ElasticsearchExporter
from tests.servers.bulk import BulkServer, Fault
from tests.servers.bulk_answers import FAILURE_STORE

KEY = "not-a-real-key-1234"


def export(exporter: ElasticsearchExporter, batch: LogBatch, calls: int = 1) -> list[ExportOutcome]:
    async def all_of_them() -> list[ExportOutcome]:
        return [await exporter.export_batch(batch) for _ in range(calls)]

    return asyncio.run(all_of_them())


def on(server: BulkServer, **given) -> ElasticsearchExporter:
    return ElasticsearchExporter(**{"urls": [server.url]} | given)


def test_a_batch_is_one_request_compressed_filtered_and_authorized():
    with BulkServer(authorization=f"ApiKey {KEY}") as server:
        (outcome,) = export(on(server, api_key=KEY, dataset="orders", pipeline="a/b"), sample_batch(7))
        (request,) = server.bulk_requests()
    assert outcome == ExportOutcome(delivered=7)
    assert request.headers["content-type"] == "application/x-ndjson"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["user-agent"].startswith("fapilog-exporter-elasticsearch/")
    assert request.path.startswith("/_bulk?filter_path=errors,items.*.failure_store,items.*.status,")
    assert request.path.endswith("&pipeline=a%2Fb")
    assert {index for index, _ in server.documents} == {"logs-orders.otel-default"}


@pytest.mark.parametrize(
    ("product", "timestamp"),
    [("elasticsearch", "1700000000123.456789"), ("opensearch", "2023-11-14T22:13:20.123456789Z")],
)
def test_the_product_is_found_and_decides_the_form_of_times(product, timestamp):
    with BulkServer(product) as server:
        exporter = on(server)
        assert export(exporter, sample_batch(1)) == [ExportOutcome(delivered=1)]
    assert exporter.product == product
    (document,) = server.bodies()
    assert document["@timestamp"] == timestamp


def test_a_product_that_is_set_is_not_asked_for():
    with BulkServer("opensearch") as server:
        export(on(server, product="opensearch"), sample_batch(1))
        assert len(server.requests) == 1


def test_only_documents_that_failed_are_sent_again():
    def verdict(sent):
        return 429 if sent.attempt == 0 and "item" in sent.document.get("attributes", {}) else None

    with BulkServer(verdict=verdict) as server:
        exporter = on(server)
        first, second = export(exporter, sample_batch(6), 2)
        assert [each.documents for each in server.bulk_requests()] == [6, 2]
    assert (first.delivered, first.retry, first.retry_after_millis) == (4, True, 0)
    assert first.error_type == "es_rejected_execution_exception"
    assert second == ExportOutcome(delivered=2)
    assert set(server.taken.values()) == {1}


def test_documents_that_are_refused_are_dropped_by_reason_and_the_others_are_not():
    statuses = iter([None, 400, 404, 400, 403, None])
    with BulkServer(verdict=lambda sent: next(statuses)) as server:
        exporter = on(server)
        (outcome,) = export(exporter, sample_batch(6))
    assert (outcome.delivered, outcome.rejected, outcome.retry) == (2, 4, False)
    assert outcome.error_type == "document_parsing_exception"
    assert outcome.cause.startswith("dropped 2 x 400 document_parsing_exception: ")
    assert "secret of a user" not in outcome.cause
    assert exporter.statistics.dropped == {
        "document_parsing_exception": 2,
        "index_not_found_exception": 1,
        "cluster_block_exception": 1,
    }


def test_what_arrived_before_is_refused_by_its_id_and_counts_as_delivered():
    with BulkServer() as server:
        server.script(Fault(after=True))
        exporter = on(server)
        first, second = export(exporter, sample_batch(5), 2)
    assert (first.delivered, first.retry) == (0, True)
    assert second == ExportOutcome(delivered=5)
    assert (exporter.statistics.duplicates, exporter.statistics.resent) == (5, 5)
    assert set(server.taken.values()) == {1}


def test_without_ids_the_server_makes_them():
    with BulkServer() as server:
        assert export(on(server, ids=False), sample_batch(3)) == [ExportOutcome(delivered=3)]
    assert {key for _, key in server.documents} == {"made-0", "made-1", "made-2"}


def test_the_failure_store_is_counted_and_said_once(caplog):
    with BulkServer(verdict=lambda sent: FAILURE_STORE) as server, caplog.at_level(logging.WARNING):
        exporter = on(server)
        assert export(exporter, sample_batch(3)) == [ExportOutcome(delivered=3)]
        assert export(exporter, sample_batch(5)) == [ExportOutcome(delivered=5)]
    assert (exporter.statistics.failure_store, exporter.statistics.duplicates) == (5, 3)
    assert "failure store" in caplog.text
    assert len(caplog.records) == 1


def test_a_request_over_the_limit_of_the_server_is_halved_until_it_fits():
    with BulkServer(limit_bytes=12_000) as server:
        exporter = on(server)
        (outcome,) = export(exporter, sample_batch(9))
    assert outcome.delivered + outcome.rejected == 9
    assert (outcome.delivered, outcome.rejected) == (9, 0)
    assert set(server.taken.values()) == {1}


def test_a_document_that_is_too_large_alone_is_dropped():
    with BulkServer(limit_bytes=5_000) as server:
        exporter = on(server)
        (outcome,) = export(exporter, sample_batch(6))
    assert (outcome.delivered, outcome.rejected) == (4, 2)
    assert exporter.statistics.dropped == {"request_too_large": 2}


def test_requests_stay_below_the_limit_that_is_set():
    with BulkServer() as server:
        assert export(on(server, max_request_bytes=12_000), sample_batch(9)) == [ExportOutcome(delivered=9)]
        assert all(each.bytes <= 12_000 for each in server.bulk_requests())
        assert len(server.bulk_requests()) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_asked_for_is_passed_on(status):
    with BulkServer() as server:
        server.script(Fault(status, {"Retry-After": "3"}))
        first, second = export(on(server), sample_batch(2), 2)
    assert (first.retry, first.retry_after_millis, first.delivered) == (True, 3_000, 0)
    assert second == ExportOutcome(delivered=2)


def test_a_refused_key_lets_records_wait():
    with BulkServer(authorization="ApiKey other") as server:
        exporter = on(server, api_key=KEY)
        (outcome,) = export(exporter, sample_batch(2))
        assert (outcome.retry, outcome.retry_after_millis) == (True, 60_000)
        assert KEY not in outcome.cause
        server.authorization = f"ApiKey {KEY}"
        assert export(exporter, sample_batch(2)) == [ExportOutcome(delivered=2)]


def test_a_refused_key_drops_records_where_that_is_set():
    with BulkServer(authorization="ApiKey other") as server:
        (outcome,) = export(on(server, api_key=KEY, refused_credentials="reject"), sample_batch(2))
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (0, 2, "401")


def test_a_key_that_a_server_repeats_is_hidden():
    with BulkServer() as server:
        said = {"error": {"type": "security_exception", "reason": f"ApiKey {KEY} is not known"}}
        server.script(Fault(400, body=json.dumps(said).encode()))
        (outcome,) = export(on(server, api_key=KEY), sample_batch(1))
    assert outcome.rejected == 1
    assert "***" in outcome.cause
    assert KEY not in outcome.cause


def test_a_server_without_require_data_stream_is_asked_without_it():
    with BulkServer() as server:
        server.knows_require_data_stream = False
        assert export(on(server), sample_batch(2)) == [ExportOutcome(delivered=2)]
        assert export(on(server, require_data_stream=False), sample_batch(1)) == [ExportOutcome(delivered=1)]


def test_a_node_that_does_not_answer_is_left_out_and_another_takes_over():
    with BulkServer() as gone:
        dead = gone.url
    with BulkServer() as server:
        exporter = ElasticsearchExporter(urls=[dead, server.url])
        for _ in range(3):
            assert export(exporter, sample_batch(2)) == [ExportOutcome(delivered=2)]
    assert exporter.statistics.resent == 0


def test_a_node_in_trouble_hands_over_to_another():
    with BulkServer() as one, BulkServer() as other:
        one.script(Fault(503))
        exporter = ElasticsearchExporter(urls=[other.url, one.url])
        assert export(exporter, sample_batch(2)) == [ExportOutcome(delivered=2)]
        assert len(one.bulk_requests()) == 1
        assert len(other.documents) == 2


def test_no_node_at_all_means_later():
    with BulkServer() as gone:
        dead = gone.url
    (outcome,) = export(ElasticsearchExporter(urls=[dead], api_key=KEY), sample_batch(2))
    assert (outcome.retry, outcome.delivered, outcome.rejected) == (True, 0, 0)
    assert KEY not in outcome.cause


def test_a_slow_answer_is_a_timeout():
    with BulkServer() as server:
        server.script(Fault(200, after=True, seconds=2.0))
        exporter = on(server, timeout_millis=300)
        first, second = export(exporter, sample_batch(2), 2)
    assert (first.retry, first.error_type) == (True, "timeout")
    assert second == ExportOutcome(delivered=2)
    assert set(server.taken.values()) == {1}


def test_records_without_a_document_are_counted():
    with BulkServer() as server:
        exporter = on(server, shape="bodymap")
        (outcome,) = export(exporter, sample_batch(3))
    assert (outcome.delivered, outcome.rejected) == (0, 3)
    # A body is the document, and a data stream wants `@timestamp` in it.
    assert exporter.statistics.dropped == {"body_not_a_map": 2, "mapper_parsing_exception": 1}
