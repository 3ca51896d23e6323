"""What fapilog expects of an exporter, and what this one promises, against a server of the S3 API."""

import asyncio
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fapilog import ExportOutcome, LoggerProvider, Settings
from fapilog.errors import ConfigurationError
from fapilog.testing import ExporterConformance
from fapilog.testing.samples import sample_batch
from opentelemetry.sdk._logs import LoggerProvider as StockProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

from object_storage import ObjectStorageExporter, ObjectStorageLogExporter, ObjectStorageSettings


def export(exporter, batch):
    return asyncio.run(exporter.export_batch(batch))


class TestObjectStorage(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _storage(self, storage):
        self.storage, self.broken = storage, False

    def make_exporter(self):
        return self.storage.exporter()

    def received(self):
        return None if self.broken else len(self.storage.records())

    def break_destination(self):
        self.broken = True
        self.storage.remove()


def test_a_batch_becomes_one_object_with_all_that_it_holds(storage):
    batch = sample_batch(7)
    assert export(storage.exporter(), batch) == ExportOutcome(delivered=7)
    [key] = storage.keys()
    assert json.loads(storage.content(key)) == json.loads(batch.encode("otlp_json"))


def test_a_batch_that_is_sent_again_is_there_once(storage, make_batch):
    exporter = storage.exporter()
    for _ in range(2):
        assert export(exporter, make_batch()) == ExportOutcome(delivered=1)
    export(exporter, make_batch("order paid"))
    assert (len(storage.keys()), exporter.statistics.requests) == (2, 3)


def test_an_object_that_must_not_be_overwritten_counts_as_delivered_where_it_is_there(storage, make_batch):
    exporter = storage.exporter(overwrite=False)
    assert export(exporter, make_batch()) == ExportOutcome(delivered=1)
    [before] = storage.client.list_objects_v2(Bucket=storage.bucket)["Contents"]
    assert export(exporter, make_batch()) == ExportOutcome(delivered=1)
    [after] = storage.client.list_objects_v2(Bucket=storage.bucket)["Contents"]
    assert (after, exporter.statistics.objects) == (before, 1)


def test_each_line_of_a_flat_object_is_a_record(storage):
    batch = sample_batch(5)
    export(storage.exporter(form="flat", compression="none"), batch)
    [key] = storage.keys()
    assert (key.rpartition(".")[2], storage.content(key)) == ("ndjson", batch.encode("flat"))


def test_class_and_key_of_an_object_are_asked_for(storage, make_batch):
    export(storage.exporter(storage_class="STANDARD_IA", kms_key_id="alias/logs"), make_batch())
    [key] = storage.keys()
    found = storage.client.head_object(Bucket=storage.bucket, Key=key)
    assert [
        found[name] for name in ("StorageClass", "ServerSideEncryption", "SSEKMSKeyId", "ContentType")
    ] == [
        "STANDARD_IA",
        "aws:kms",
        "alias/logs",
        "application/json",
    ]


def test_records_wait_while_the_storage_is_away_and_each_arrives_once(own_storage):
    server = own_storage.server
    server.stop()
    settings = {"delivery": {"retry": {"initial_backoff_millis": 10, "max_backoff_millis": 50}}}
    with LoggerProvider(
        settings=Settings.load(environ={}, **settings), exporters=[own_storage.exporter()]
    ) as provider:
        logger = provider.get_logger("shop")
        for number in range(20):
            logger.emit(body=f"record {number}")
        assert not provider.force_flush(200)
        server.start_again()
        assert provider.force_flush(60_000), str(provider.ledger())
        side = provider.ledger().exporters["object_storage"]
    assert (side.delivered, side.pending) == (20, 0)
    bodies = [record["body"]["stringValue"] for record in own_storage.records()]
    assert sorted(bodies) == sorted(f"record {number}" for number in range(20))


class Busy(BaseHTTPRequestHandler):
    """Answers each upload with the same words."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.send_response(503)
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        for name, value in {"Retry-After": "7", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


def test_a_busy_storage_is_asked_once_and_again_when_it_says_so(make_batch):
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        server.asked = 0
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        exporter = ObjectStorageExporter(bucket="b", endpoint_url=f"http://127.0.0.1:{server.server_port}")
        outcome = export(exporter, make_batch())
        server.shutdown()
        thread.join(10)
    assert (outcome.retry, outcome.retry_after_millis, outcome.error_type) == (True, 7_000, "SlowDown")
    assert (server.asked, "reduce your request rate" in outcome.cause) == (1, True)


def test_records_wait_for_credentials_that_are_missing(storage, make_batch, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    outcome = export(storage.exporter(session=None, refused_pause_millis=5_000), make_batch())
    assert (outcome.retry, outcome.retry_after_millis, outcome.error_type) == (
        True,
        5_000,
        "NoCredentialsError",
    )


def test_a_forked_child_has_connections_of_its_own(storage, make_batch, monkeypatch):
    exporter = storage.exporter()
    export(exporter, make_batch())
    before = exporter._made
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert export(exporter, make_batch()) == ExportOutcome(delivered=1)
    assert exporter._made is not before


def test_a_child_that_is_forked_while_a_client_is_made_does_not_wait_for_it(storage, make_batch):
    exporter = storage.exporter()
    making, end = threading.Event(), threading.Event()

    def make_slowly():
        making.set()
        end.wait(60)
        return storage.client

    exporter._new_client = make_slowly
    thread = threading.Thread(target=exporter._client)
    thread.start()
    making.wait(60)
    child = os.fork()
    if child == 0:
        del exporter._new_client
        signal.alarm(90)  # its parent waits no longer
        os._exit(0 if export(exporter, make_batch()).delivered == 1 else 1)
    status = os.waitpid(child, 0)[1]
    end.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_other_providers_get_a_pipeline_before_it(storage):
    exporter = ObjectStorageLogExporter(bucket=storage.bucket, endpoint_url=storage.server.url)
    provider = StockProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("shop").emit(body="order placed")
    assert exporter.force_flush(60_000)
    provider.shutdown()
    assert [record["body"]["stringValue"] for record in storage.records()] == ["order placed"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "bucket"),
        ({"bucket": "a/b"}, "bucket"),
        ({"bucket": "b", "folder": "a/../b"}, "folder"),
        ({"bucket": "b", "partition": "%Y//%m"}, "partition"),
        ({"bucket": "b", "endpoint_url": "s3.example"}, "endpoint_url"),
        ({"bucket": "b", "endpoint_url": "https://user:secret@s3.example"}, "endpoint_url"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(given, name):
    with pytest.raises(ConfigurationError) as caught:
        ObjectStorageSettings.load({}, **given)
    assert [setting.name for problem in caught.value.problems for setting in problem.settings] == [name]
    assert "secret" not in str(caught.value)
