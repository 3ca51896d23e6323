"""`FapilogLogRecordProcessor`: the drop-in for `BatchLogRecordProcessor` on a stock provider."""

import inspect
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import LogRecordLimits, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.resources import Resource

from fapilog import FapilogLogRecordProcessor, Settings
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver

PATIENCE_MILLIS = 20_000
RESOURCE = Resource({"service.name": "shop"})

Make = Callable[..., FapilogLogRecordProcessor]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes processors that do not read the environment, and shuts them down."""
    made: list[FapilogLogRecordProcessor] = []

    def processor(exporter: Any = None, **arguments: Any) -> FapilogLogRecordProcessor:
        arguments.setdefault("settings", Settings.load(environ={}))
        made.append(FapilogLogRecordProcessor(exporter, **arguments))
        return made[-1]

    yield processor
    for each in made:
        each.shutdown()
        assert each.ledger().balanced, str(each.ledger())


def stock(*processors: Any, resource: Resource = RESOURCE, **arguments: Any) -> SdkLoggerProvider:
    """A provider of the SDK with these processors."""
    provider = SdkLoggerProvider(resource, shutdown_on_exit=False, **arguments)
    for processor in processors:
        provider.add_log_record_processor(processor)
    return provider


class Blocking(LogRecordExporter):
    """Blocks every export until it is let go."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.calls: list[str] = []

    def export(self, batch: Any) -> LogRecordExportResult:
        self.begun.set()
        self.go.wait(PATIENCE_MILLIS / 1_000)
        self.calls.append("export")
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.calls.append("force_flush")
        return True

    def shutdown(self) -> None:
        self.calls.append("shutdown")
        self.go.set()


def seen(record: ReadableLogRecord) -> tuple[Any, ...]:
    """What an exporter reads of a record."""
    log = record.log_record
    return (
        (log.timestamp, log.observed_timestamp, log.trace_id, log.span_id, log.trace_flags),
        (log.severity_number, log.severity_text, log.body, dict(log.attributes or {}), log.event_name),
        (record.resource, record.instrumentation_scope, record.dropped_attributes),
    )


def emit_everything(provider: SdkLoggerProvider) -> None:
    """Records of all shapes through the SDK's own logger."""
    logger = provider.get_logger("orders", "1.0", "https://example.org/schema", {"team": "a"})
    span = trace.NonRecordingSpan(trace.SpanContext(2**90 + 1, 2**50 + 1, False, trace.TraceFlags(1)))
    with trace.use_span(span):
        logger.emit(
            timestamp=1_700_000_000_000_000_000,
            severity_number=SeverityNumber.ERROR3,
            severity_text="ERROR3",
            body={"order": {"id": 7}},
            attributes={"a": 1, "b": True, "c": [1.5, 2.5], "d": "text"},
            event_name="order.failed",
            exception=ValueError("no such order"),
        )
    logger.emit(severity_number=SeverityNumber.TRACE, body="below every level but kept by the SDK")
    provider.get_logger("bare").emit()


def test_an_exporter_sees_what_it_sees_behind_the_stock_processor(make: Make):
    ours, theirs = InMemoryLogRecordExporter(), InMemoryLogRecordExporter()
    provider = stock(make(ours), BatchLogRecordProcessor(theirs))
    emit_everything(provider)
    assert provider.force_flush(PATIENCE_MILLIS)
    assert [seen(record) for record in ours.get_finished_logs()] == [
        seen(record) for record in theirs.get_finished_logs()
    ]
    provider.shutdown()


def test_without_an_exporter_records_go_natively_to_otlp(make: Make):
    with OtlpReceiver() as receiver:
        settings = Settings.load(environ={}, otlp={"endpoint": receiver.endpoint})
        processor = make(settings=settings)
        provider = stock(processor)
        emit_everything(provider)
        assert provider.force_flush(PATIENCE_MILLIS)
        assert [record.severity_number for record in receiver.log_records] == [19, 1, 0]
        assert receiver.log_records[0].resource["service.name"] == "shop"
        assert processor.ledger().exporters["otlp"].delivered == 3


def test_limits_and_counts_of_dropped_attributes_are_the_sdks(make: Make):
    exporter = InMemoryLogRecordExporter()
    limits = LogRecordLimits(max_log_record_attributes=2, max_log_record_attribute_length=3)
    provider = stock(make(exporter), log_record_limits=limits)
    attributes = {f"key{number}": "x" * 10 for number in range(5)}
    provider.get_logger("jobs").emit(body="cut", attributes=attributes)
    provider.force_flush(PATIENCE_MILLIS)
    (record,) = exporter.get_finished_logs()
    assert (len(record.log_record.attributes), record.dropped_attributes) == (2, 3)
    assert set(record.log_record.attributes.values()) == {"xxx"}


def test_more_attributes_than_our_own_limit_pass(make: Make):
    exporter = InMemoryLogRecordExporter()
    provider = stock(make(exporter), log_record_limits=LogRecordLimits(max_log_record_attributes=500))
    provider.get_logger("jobs").emit(attributes={f"key{number}": number for number in range(300)})
    provider.force_flush(PATIENCE_MILLIS)
    assert len(exporter.get_finished_logs()[0].log_record.attributes) == 300


def test_secrets_are_hidden_before_the_exporter_sees_them(make: Make):
    exporter = InMemoryLogRecordExporter()
    provider = stock(make(exporter))
    provider.get_logger("jobs").emit(attributes={"password": "hunter2"})
    provider.force_flush(PATIENCE_MILLIS)
    assert "hunter2" not in str(dict(exporter.get_finished_logs()[0].log_record.attributes))


def test_each_resource_keeps_its_records_and_the_exporter_is_shared(make: Make):
    exporter = InMemoryLogRecordExporter()
    processor = make(exporter)
    for name in ("a", "b"):
        stock(processor, resource=Resource({"service.name": name})).get_logger("jobs").emit(body=name)
    stock(processor, resource=Resource({"service.name": "a"})).get_logger("jobs").emit(body="a again")
    assert processor.force_flush(PATIENCE_MILLIS)
    found = sorted(
        (record.log_record.body, record.resource.attributes["service.name"])
        for record in exporter.get_finished_logs()
    )
    assert found == [("a", "a"), ("a again", "a"), ("b", "b")]
    assert processor.ledger().accepted == 3
    assert processor.ledger().exporters["InMemoryLogRecordExporter"].delivered == 3


def test_batches_have_at_most_512_records_or_what_was_asked_for(make: Make):
    sizes: list[int] = []

    class Sizes(InMemoryLogRecordExporter):
        def export(self, batch: Any) -> LogRecordExportResult:
            sizes.append(len(batch))
            return LogRecordExportResult.SUCCESS

    for arguments, largest in (({}, 512), ({"max_export_batch_size": 100}, 100)):
        sizes.clear()
        provider = stock(make(Sizes(), **arguments))
        logger = provider.get_logger("jobs")
        for number in range(1_200):
            logger.emit(body=number)
        assert provider.force_flush(PATIENCE_MILLIS)
        assert (sum(sizes), max(sizes)) == (1_200, largest)


def test_the_variables_of_the_stock_processor_count():
    environ = {
        "OTEL_BLRP_SCHEDULE_DELAY": "7",
        "OTEL_BLRP_MAX_QUEUE_SIZE": "70",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "17",
        "OTEL_BLRP_EXPORT_TIMEOUT": "700",
    }
    processor = FapilogLogRecordProcessor(
        InMemoryLogRecordExporter(), settings=Settings.load(environ=environ), max_export_batch_size=5
    )
    buffer = processor.settings.buffer
    assert (
        buffer.schedule_delay_millis,
        buffer.max_queue_records,
        buffer.max_block_records,
        buffer.export_timeout_millis,
    ) == (7, 70, 5, 700)
    processor.shutdown()


def test_the_stock_processor_s_arguments_work_by_name_and_in_its_order():
    stock_names = [
        parameter.name
        for parameter in inspect.signature(BatchLogRecordProcessor).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    values = {
        "schedule_delay_millis": 7.0,
        "max_export_batch_size": 5,
        "export_timeout_millis": 700.0,
        "max_queue_size": 70,
    }
    assert stock_names == ["exporter", *values]
    exporter, empty = InMemoryLogRecordExporter(), Settings.load(environ={})
    for processor in (
        FapilogLogRecordProcessor(exporter, *values.values(), settings=empty),
        FapilogLogRecordProcessor(exporter=exporter, settings=empty, **values),
    ):
        buffer = processor.settings.buffer
        assert (
            buffer.schedule_delay_millis,
            buffer.max_block_records,
            buffer.export_timeout_millis,
            buffer.max_queue_records,
        ) == tuple(values.values())
        processor.shutdown()


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule_delay_millis": 0},
        {"max_export_batch_size": 0},
        {"max_queue_size": 0},
        {"export_timeout_millis": -1},
        {"schedule_delay_millis": "5000"},
        {"schedule_delay_millis": float("inf")},
    ],
    ids=str,
)
def test_what_the_stock_processor_cannot_use_is_refused_by_the_name_it_was_given(wrong):
    [name] = wrong
    with pytest.raises(ConfigurationError, match=name) as caught:
        FapilogLogRecordProcessor(InMemoryLogRecordExporter(), settings=Settings.load(environ={}), **wrong)
    assert caught.value.code == "setting-invalid"


def test_a_queue_smaller_than_a_batch_is_an_error_only_if_both_were_asked_for():
    empty = Settings.load(environ={})
    processor = FapilogLogRecordProcessor(InMemoryLogRecordExporter(), max_queue_size=10, settings=empty)
    assert processor.settings.buffer.max_block_records == 10
    processor.shutdown()
    with pytest.raises(ConfigurationError, match="queue"):
        FapilogLogRecordProcessor(max_queue_size=10, max_export_batch_size=11, settings=empty)


def test_what_is_no_exporter_is_refused_with_what_is_missing():
    with pytest.raises(ConfigurationError, match=r"list has no export_batch\(\)") as caught:
        FapilogLogRecordProcessor([])
    assert caught.value.code == "exporter-invalid"


def test_force_flush_waits_for_the_export_and_then_flushes_the_exporter(make: Make):
    exporter = Blocking()
    processor = make(exporter)
    stock(processor).get_logger("jobs").emit(body="one")
    assert exporter.begun.wait(PATIENCE_MILLIS / 1_000)
    begun = time.monotonic()
    assert processor.force_flush(100) is False
    assert time.monotonic() - begun < 5.0
    assert exporter.calls == []
    exporter.go.set()
    assert processor.force_flush(PATIENCE_MILLIS) is True
    assert exporter.calls == ["export", "force_flush"]


def test_a_shutdown_keeps_its_time_with_an_export_that_hangs_and_counts_what_was_left(make: Make):
    exporter = Blocking()
    exporter.shutdown = lambda: exporter.calls.append("shutdown")  # type: ignore[method-assign]
    processor = make(exporter, max_export_batch_size=1)
    logger = stock(processor).get_logger("jobs")
    for number in range(3):
        logger.emit(body=number)
    assert exporter.begun.wait(PATIENCE_MILLIS / 1_000)
    begun = time.monotonic()
    processor.shutdown(500)
    assert time.monotonic() - begun < 5.0
    assert exporter.calls == ["shutdown"]
    side = processor.ledger().exporters["Blocking"]
    assert (dict(side.dropped), side.pending) == ({**side.dropped, "shutdown": 3}, 0)
    exporter.go.set()  # the export says SUCCESS now; nothing is settled twice
    assert processor.ledger().balanced


def test_after_shutdown_records_are_dropped_and_nothing_is_flushed(make: Make):
    exporter = InMemoryLogRecordExporter()
    processor = make(exporter)
    provider = stock(processor)
    processor.shutdown()
    provider.get_logger("jobs").emit(body="too late")
    assert (processor.force_flush(), exporter.get_finished_logs()) == (False, ())
    assert not processor.enabled(severity_number=SeverityNumber.FATAL)
    processor.shutdown()


def test_a_shutdown_without_a_record_shuts_the_exporter_down(make: Make):
    exporter = Blocking()
    make(exporter).shutdown()
    assert exporter.calls == ["shutdown"]


def test_no_thread_is_left(make: Make):
    before = set(threading.enumerate())
    processor = make(InMemoryLogRecordExporter())
    stock(processor).get_logger("jobs").emit(body="one")
    processor.force_flush(PATIENCE_MILLIS)
    processor.shutdown()
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:  # a worker ends by itself, after its last call
        thread.join(PATIENCE_MILLIS / 1_000)
    assert [thread.name for thread in left if thread.is_alive()] == []


def test_a_broken_record_costs_itself_only(make: Make, capsys: pytest.CaptureFixture[str]):
    exporter = InMemoryLogRecordExporter()
    processor = make(exporter)
    processor.on_emit(object())  # type: ignore[arg-type]
    stock(processor).get_logger("jobs").emit(body="fine")
    processor.force_flush(PATIENCE_MILLIS)
    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["fine"]
    assert "otel-record-lost" in capsys.readouterr().err


def test_what_the_exporter_logs_does_not_come_back(make: Make):
    """Also where a handler feeds everything of `logging` to the provider."""
    batches: list[list[Any]] = []

    class Chatty(InMemoryLogRecordExporter):
        def export(self, batch: Any) -> LogRecordExportResult:
            batches.append([record.log_record.body for record in batch])
            provider.get_logger("exporter").emit(body="exported")
            return LogRecordExportResult.SUCCESS

    processor = make(Chatty())
    provider = stock(processor)
    provider.get_logger("jobs").emit(body="one")
    for _ in range(3):
        assert processor.force_flush(PATIENCE_MILLIS)
    assert batches == [["one"]]
    assert processor.ledger().accepted == 1


def test_a_forked_child_exports_its_own_records_once(make: Make):
    with OtlpReceiver() as receiver:
        processor = make(settings=Settings.load(environ={}, otlp={"endpoint": receiver.endpoint}))
        logger = stock(processor).get_logger("jobs")
        logger.emit(body="parent before")
        child = os.fork()
        if child == 0:
            logger.emit(body="child")
            os._exit(0 if processor.force_flush(PATIENCE_MILLIS) else 1)
        assert os.waitpid(child, 0)[1] == 0
        logger.emit(body="parent after")
        assert processor.force_flush(PATIENCE_MILLIS)
        assert sorted(record.body for record in receiver.log_records) == [
            "child",
            "parent after",
            "parent before",
        ]


def test_the_stock_handler_of_logging_works_with_it(make: Make):
    handler_module = pytest.importorskip("opentelemetry.instrumentation.logging.handler")
    exporter = InMemoryLogRecordExporter()
    processor = make(exporter)
    handler = handler_module.LoggingHandler(logger_provider=stock(processor))
    logger = logging.getLogger("tests.stock.handler")
    logger.addHandler(handler)
    try:
        logger.warning("from %s", "logging")
    finally:
        logger.removeHandler(handler)
    processor.force_flush(PATIENCE_MILLIS)
    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["from logging"]
