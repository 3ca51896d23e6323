"""The conformance suites, run against exporters and processors of ours and of OpenTelemetry."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from fapilog import ExportOutcome, LogBatch
from fapilog.testing import (
    EnricherConformance,
    ExporterConformance,
    OtlpReceiver,
    ProcessorConformance,
    Status,
)


class TestInMemoryExporter(ExporterConformance):
    def make_exporter(self) -> Any:
        self.exporter = InMemoryLogRecordExporter()
        return self.exporter

    def received(self) -> int:
        return len(self.exporter.get_finished_logs())

    def break_destination(self) -> None:
        self.exporter.shutdown()


class TestStockOtlpExporter(ExporterConformance):
    """OpenTelemetry's exporter, against a real server."""

    @pytest.fixture(autouse=True)
    def _receiver(self) -> Iterator[None]:
        with OtlpReceiver() as self.receiver:
            yield

    def make_exporter(self) -> Any:
        return OTLPLogExporter(self.receiver.logs_endpoint, timeout=5)

    def received(self) -> int:
        return self.receiver.log_record_count

    def break_destination(self) -> None:
        self.receiver.answer_always_with(Status(400))


class Posting:
    """A small exporter of the other kind, as a reader of the how-to page would write it."""

    name = "posting"
    max_in_flight = 3

    def __init__(self, port: int) -> None:
        self.port = port
        self.closed = False

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        import asyncio

        if self.closed:
            return ExportOutcome(rejected=len(batch), cause="shut down")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            body = batch.encode("json")
            writer.write(b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            status = int((await reader.readline()).split()[1])
        finally:
            writer.close()
        if status != 200:
            return ExportOutcome(retry=True, cause=f"HTTP {status}")
        return ExportOutcome(delivered=len(batch))

    async def shutdown(self, timeout_millis: int) -> None:
        self.closed = True


class TestAsyncExporter(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.lines, self.status = 0, 200
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if test.status == 200:
                    test.lines += body.count(b"\n")
                self.send_response(test.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as self.server:
            thread = threading.Thread(target=self.server.serve_forever)
            thread.start()
            yield
            self.server.shutdown()
            thread.join()

    def make_exporter(self) -> Any:
        return Posting(self.server.server_address[1])

    def received(self) -> int:
        return self.lines

    def break_destination(self) -> None:
        self.status = 503


class TestFilter(ProcessorConformance):
    def make_processor(self) -> Any:
        async def keep_spans(batch: LogBatch) -> Any:
            return [record for record in batch if record.log_record.trace_id]

        return keep_spans


class TestChange(ProcessorConformance):
    def make_processor(self) -> Any:
        class Mark:
            async def process(self, batch: LogBatch) -> LogBatch:
                for record in batch:
                    record.log_record.severity_text = "MARKED"
                return batch

        return Mark()


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        ("loses", "test_every_record_of_a_batch_is_delivered"),
        ("claims", "test_after_shutdown_nothing_is_delivered_and_nothing_hangs"),
        ("raises", "test_a_failing_destination_is_an_outcome_that_accounts_for_every_record"),
        ("loses", "test_behind_a_provider_the_ledger_adds_up"),
    ],
)
def test_the_suite_finds_an_exporter_that_is_wrong(wrong: str, test: str):
    class Wrong:
        name = "wrong"

        async def export_batch(self, batch: LogBatch) -> ExportOutcome:
            if wrong == "raises":
                raise ZeroDivisionError("a bug")
            return ExportOutcome(delivered=len(batch) - (wrong == "loses"))

    class Suite(ExporterConformance):
        def make_exporter(self) -> Any:
            return Wrong()

        def received(self) -> int:
            return 0

        def break_destination(self) -> None: ...

    with pytest.raises(AssertionError):
        getattr(Suite(), test)()


def test_the_suite_finds_a_processor_that_adds_records():
    class Suite(ProcessorConformance):
        def make_processor(self) -> Any:
            async def double(batch: LogBatch) -> Any:
                return [*batch, *batch]

            return double

    with pytest.raises(AssertionError, match="cannot add records"):
        Suite().test_it_takes_records_of_every_shape()


class TestMappingEnricher(EnricherConformance):
    """A mapping."""

    def make_enricher(self):
        return {"team": "checkout", "password": "p"}


class TestFunctionEnricher(EnricherConformance):
    """A function that is asked for each record, over and over."""

    def make_enricher(self):
        return lambda: {"tenant": "acme"}


class TestAsyncEnricher(EnricherConformance):
    """An async function."""

    def make_enricher(self):
        async def flags():
            return {"flags.checkout": "new"}

        return flags


def test_the_suite_finds_an_enricher_that_answers_with_something_else():
    class Suite(EnricherConformance):
        def make_enricher(self):
            return lambda: [("tenant", "acme")]

    with pytest.raises(AssertionError):
        Suite().test_it_answers_with_named_attributes_or_none()
