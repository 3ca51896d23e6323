"""Against a real OpenSearch: our fault server answers as it does, and it takes what we send."""

import asyncio
import json
import re
import time

import pytest

import fapilog
from exporters.elasticsearch.tests.conftest import add_templates
from exporters.elasticsearch.tests.numbered import numbered
from fapilog_exporter_elasticsearch import ElasticsearchExporter
from tests.servers.bulk import BulkServer
from tests.servers.opensearch import OpenSearch, OpenSearchMissing

NDJSON = "application/x-ndjson"
FILTER = "?filter_path=errors,items.*.status,items.*.error.type,items.*.error.caused_by.type"
TIME = {"@timestamp": "2026-11-21T00:00:00.000000001Z"}


def line(document, operation="create", **target):
    action = {operation: {"_index": "logs-check-default"} | target}
    return f"{json.dumps(action)}\n{json.dumps(document)}\n".encode()


REQUESTS = {
    "taken": ("", line(TIME, _id="1") + line(TIME, _id="2")),
    "there already": ("", line(TIME, _id="1") + line(TIME, _id="3")),
    "without an id": (FILTER, line(TIME)),
    "without a time": ("", line({"num": 1}, _id="4")),
    "another operation": ("", line(TIME, "index", _id="5")),
    "a name in upper case": (FILTER, line(TIME, _index="BAD", _id="6")),
    "an option of Elasticsearch's": ("", line(TIME, _id="7", require_data_stream=True)),
    "an option of nobody's": ("?nonsense=1", line(TIME, _id="8")),
    "no newline": ("", line(TIME, _id="9")[:-1]),
    "nothing": ("", b""),
    "filtered": (FILTER, line(TIME, _id="1") + line({"num": 1}, _id="10")),
}


def comparable(status, headers, content):
    """What both must have in common: not times, shards and versions, nor how errors are explained."""
    wanted = {"status", "errors", "items", "error", "type", "create", "index"}

    def kept(value):
        if isinstance(value, list):
            return [kept(each) for each in value]
        if isinstance(value, dict):
            # In an error `index` is a name of its own making.
            chosen = {
                name for name in wanted & set(value) if name != "index" or isinstance(value[name], dict)
            }
            return {name: kept(value[name]) for name in chosen}
        return value

    return status, re.sub(r"/.*", "", headers.get("x-opensearch-version", "")), kept(content)


def export(exporter, *batches):
    async def all_of_them():
        return [await exporter.export_batch(batch) for batch in batches]

    return asyncio.run(all_of_them())


def check_our_server(opensearch):
    with BulkServer("opensearch") as ours:
        for name, (query, body) in REQUESTS.items():
            path = f"/_bulk{query}"
            real = opensearch.ask("POST", path, body, NDJSON)
            answered = ours.answer(path, {"content-type": NDJSON}, body)
            status, headers, content = answered
            named = {key.lower(): value for key, value in headers.items()}
            assert comparable(status, named, json.loads(content)) == comparable(*real), name


def check_shapes(opensearch):
    for shape in ("otel", "ecs", "ss4o", "flat", "raw"):
        exporter = ElasticsearchExporter(urls=[opensearch.url], shape=shape, dataset=f"shape_{shape}")
        batch = numbered(6)
        first, again = export(exporter, batch, batch)
        assert (first.delivered, again.delivered) == (6, 6), (first, again)
        assert (exporter.product, exporter.statistics.duplicates) == ("opensearch", 6)
        index = "ss4o_logs" if shape == "ss4o" else "logs"
        found = opensearch.found(f"{index}-shape_{shape}*")
        sent = batch.documents(shape, time="iso") if shape == "otel" else batch.documents(shape)
        assert len(found) == len(sent) == 6


def check_refusals(opensearch):
    exporter = ElasticsearchExporter(urls=[opensearch.url], dataset="refused")
    records = list(numbered(4))
    records[1].log_record.attributes = {"num": "no number"}
    with fapilog.LoggerProvider(settings=fapilog.Settings.load(environ={}), exporters=["none"]) as provider:
        batch = fapilog.LogBatch.from_records(records, provider.pipeline)
    (outcome,) = export(exporter, batch)
    assert (outcome.delivered, outcome.rejected) == (3, 1)
    assert outcome.error_type == "mapper_parsing_exception"
    assert "no number" not in outcome.cause
    stream = "/logs-refused.otel-default/_settings"
    opensearch.ask("PUT", stream, {"index.blocks.read_only_allow_delete": True})
    waits, rest = numbered(3, first=10), numbered(2, first=20)
    (outcome,) = export(exporter, waits)
    assert (outcome.delivered, outcome.retry, outcome.error_type) == (0, True, "cluster_block_exception")
    opensearch.ask("PUT", stream, {"index.blocks.read_only_allow_delete": None})
    first, second = export(exporter, waits, rest)
    assert (first.delivered, second.delivered) == (3, 2)
    assert len(opensearch.found("logs-refused*")) == 8


def check_halving(opensearch):
    """It takes a megabyte, compressed or not."""
    for compression in ("none", "gzip"):
        dataset = f"large_{compression}"
        exporter = ElasticsearchExporter(urls=[opensearch.url], dataset=dataset, compression=compression)
        (outcome,) = export(exporter, numbered(400, padding=6_000))
        assert outcome.delivered == 400, outcome
        assert len(opensearch.found(f"logs-{dataset}*")) == 400
        if compression == "none":
            assert exporter.statistics.requests > 2


def test_opensearch_takes_what_we_send_and_our_fault_server_answers_as_it_does(opensearch):
    check_our_server(opensearch)
    check_shapes(opensearch)
    check_refusals(opensearch)
    check_halving(opensearch)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_opensearch_is_killed_and_restarted_under_load_and_has_every_record_once(tmp_path):
    try:
        node = OpenSearch(tmp_path / "node")
    except OpenSearchMissing as missing:
        pytest.skip(str(missing))
    exporter = ElasticsearchExporter(urls=[node.url], dataset="killed", max_dead_node_millis=1_000)
    chosen = fapilog.Settings.load(
        environ={},
        spool={"directory": tmp_path / "spool"},
        buffer={"schedule_delay_millis": 20, "shutdown_timeout_millis": 60_000},
        delivery={"breaker_pause_millis": 500},
        record_uid="on",
    )
    sent = 0
    with node, fapilog.LoggerProvider(settings=chosen, exporters=[exporter]) as provider:
        add_templates(node)
        logger = provider.get_logger("load")
        for turn in range(3):
            ends = time.monotonic() + 3.0
            while time.monotonic() < ends:
                for _ in range(50):
                    logger.emit(body="under load", attributes={"number": sent})
                    sent += 1
                time.sleep(0.005)
                if turn < 2 and time.monotonic() > ends - 1.5 and node.running:
                    node.kill()
            if not node.running:
                node.start()
        assert provider.force_flush(120_000), str(provider.ledger())
        side = provider.ledger().exporters["elasticsearch"]
        count = (
            node.ask("POST", "/logs-killed*/_refresh") and node.ask("GET", "/logs-killed*/_count")[2]["count"]
        )
    assert (side.delivered, side.rejected) == (sent, 0)
    assert count == sent
