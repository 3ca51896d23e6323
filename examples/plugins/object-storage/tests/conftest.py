"""A server of the S3 API on loopback, made-up credentials, and batches."""

import gzip
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from fapilog import LogBatch
from moto.server import ThreadedMotoServer
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from object_storage import ObjectStorageExporter

_numbers = itertools.count(1)


class Server:
    """A running server, and what the tests ask it with."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.session = boto3.session.Session("made-up", "made-up", region_name="us-east-1")
        # To read what it knows of the service costs more than a test; the session reads it once.
        self.client: Any = self.session.client("s3", endpoint_url=self.url)

    def stop(self) -> None:
        """Refuse connections from now on; what is stored stays."""
        self._server.stop()

    def start_again(self) -> None:
        """Listen at the same port."""
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()


class Storage:
    """One bucket of a server."""

    def __init__(self, server: Server) -> None:
        self.server, self.client, self.bucket = server, server.client, f"acme-logs-{next(_numbers)}"
        self.client.create_bucket(Bucket=self.bucket)

    def remove(self) -> None:
        """Forget the bucket and all that is in it."""
        for key in self.keys():
            self.client.delete_object(Bucket=self.bucket, Key=key)
        self.client.delete_bucket(Bucket=self.bucket)

    def keys(self) -> list[str]:
        """The names of all objects."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())]

    def content(self, key: str) -> bytes:
        """What is in an object, unpacked."""
        found = self.client.get_object(Bucket=self.bucket, Key=key)
        body: bytes = found["Body"].read()
        return gzip.decompress(body) if found.get("ContentEncoding") == "gzip" else body

    def records(self) -> list[dict[str, Any]]:
        """The records of all objects in OTLP/JSON."""
        requests = [json.loads(self.content(key)) for key in self.keys()]
        return [
            record
            for request in requests
            for resource in request["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def exporter(self, **given: Any) -> ObjectStorageExporter:
        """An exporter into the bucket."""
        settings = {"bucket": self.bucket, "endpoint_url": self.server.url, "refused_pause_millis": 1}
        return ObjectStorageExporter(**{"session": self.server.session, **settings, **given})


@pytest.fixture(autouse=True)
def _made_up_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "FAPILOG_", "OTEL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # Nobody asks the machine that the tests run on for its role.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def storage(server: Server) -> Storage:
    return Storage(server)


@pytest.fixture
def own_storage() -> Iterator[Storage]:
    """A bucket of a server that the test may stop."""
    running = Server()
    yield Storage(running)
    running.stop()


def one_record(body: str = "order placed", nanos: int = 1_795_219_200_123_456_789) -> LogBatch:
    """A batch of one record, as a service logs it inside a span."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "checkout"
    scope = resource.scope_logs.add()
    scope.scope.name = "shop"
    record = scope.log_records.add(
        time_unix_nano=nanos,
        observed_time_unix_nano=nanos,
        severity_number=9,
        severity_text="INFO",
        trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
        span_id=bytes.fromhex("eee19b7ec3c1b174"),
    )
    record.body.string_value = body
    record.attributes.add(key="order_id").value.int_value = 42
    return LogBatch(request.SerializeToString())


@pytest.fixture
def make_batch() -> Any:
    return one_record
