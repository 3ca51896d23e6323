"""Stock processors on our provider: export, flush, shutdown, deadlines, `enabled`."""

import os
import threading
import time

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import LoggerProvider, Settings, diagnostics
from tests.unit.processing import Processor, recorder_with

SPAN = trace.SpanContext(0xA, 0xB, is_remote=False, trace_flags=trace.TraceFlags(1))
IN_SPAN = trace.set_span_in_context(trace.NonRecordingSpan(SPAN), Context())


@pytest.mark.parametrize("make", [BatchLogRecordProcessor, SimpleLogRecordProcessor])
def test_stock_processors_export_redacted_records(make):
    exporter = InMemoryLogRecordExporter()
    resource = Resource({"service.name": "shop"})
    with LoggerProvider(resource, exporters=["none"]) as provider:
        provider.add_log_record_processor(make(exporter))
        provider.get_logger("orders", "1.2").emit(body="m", attributes={"password": "p", "k": 1})
        assert provider.force_flush()
        [exported] = exporter.get_finished_logs()
    assert (exported.log_record.body, exported.resource) == ("m", resource)
    assert dict(exported.log_record.attributes) == {"password": "[REDACTED:secret]", "k": 1}
    assert exported.instrumentation_scope == InstrumentationScope("orders", "1.2")


def test_flush_and_shutdown_reach_every_processor_once():
    processors = [Processor(), Processor()]
    recorder = recorder_with(*processors)
    assert recorder.provider.force_flush(1_000)
    assert recorder.provider.finish()
    assert recorder.provider.shutdown()
    assert recorder.provider.shutdown()
    recorder.logger().info("late")
    recorder.provider.add_log_record_processor(Processor())
    assert [(len(one.flushed), one.ended, one.seen) for one in processors] == [(2, 1, []), (2, 1, [])]


def test_shutdown_exports_what_processors_hold_and_later_records_reach_none():
    exporter, late = InMemoryLogRecordExporter(), Processor()
    provider = LoggerProvider(exporters=["none"])
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=3_600_000))
    provider.add_log_record_processor(late)
    logger = provider.get_logger("shop")
    logger.emit(body="held")
    assert provider.shutdown()
    logger.emit(body="late")
    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["held"]
    assert [record.log_record.body for record in late.seen] == ["held"]


def test_a_processor_that_says_no_or_raises_makes_the_flush_fail():
    for answer in (lambda _: False, lambda _: 1 / 0):
        processor = Processor()
        processor.force_flush = answer
        with recorder_with(processor) as recorder:
            assert recorder.provider.force_flush(1_000) is False


def test_the_deadline_holds_for_a_processor_that_ignores_it():
    free = threading.Event()
    processor = Processor()
    processor.force_flush = lambda _: free.wait(30)
    processor.shutdown = lambda: free.wait(30)
    recorder = recorder_with(processor)
    started = time.monotonic()
    assert recorder.provider.force_flush(100) is False
    assert recorder.provider.force_flush(100) is False
    assert recorder.provider.shutdown(100) is False
    assert time.monotonic() - started < 10
    free.set()


UNSAMPLED = trace.set_span_in_context(
    trace.NonRecordingSpan(trace.SpanContext(0xA, 0xB, is_remote=False)), Context()
)


@pytest.mark.parametrize(
    ("made", "asked", "answer"),
    [
        ({}, {}, True),
        ({"exporters": ["none"]}, {}, False),
        ({"rules": {"shop": "off"}}, {}, False),
        ({"rules": {"shop": "warn"}}, {"severity_number": SeverityNumber.INFO}, False),
        ({"rules": {"shop": "warn"}}, {"severity_number": SeverityNumber.WARN}, True),
        ({"rules": {"shop": "warn"}}, {}, True),
        ({"rules": {"shop": "trace_based"}}, {"context": UNSAMPLED}, False),
        ({"rules": {"shop": "trace_based"}}, {"context": IN_SPAN}, True),
        ({"rules": {"shop": "trace_based"}}, {"context": Context()}, True),
    ],
)
def test_enabled_is_false_for_every_reason_of_the_specification_and_true_otherwise(made, asked, answer):
    settings = Settings.load(environ={}, **({"exporters": ["console"]} | made))
    with LoggerProvider(settings=settings) as provider:
        logger = provider.get_logger("shop")
        assert logger.enabled(**asked) is answer
    assert logger.enabled(**asked) is False


def test_enabled_asks_processors_only_when_nothing_else_would_take_the_record():
    wants, rejects = Processor(), Processor(wants=False)
    with LoggerProvider(exporters=["none"]) as provider:
        logger = provider.get_logger("shop", "1")
        nobody = logger.enabled()
        provider.add_log_record_processor(rejects)
        rejected = logger.enabled(severity_number=SeverityNumber.INFO, event_name="e", context=IN_SPAN)
        provider.add_log_record_processor(wants)
        wanted = logger.enabled()
        wants.wants = ValueError("cannot tell")
        undetermined = logger.enabled()
    assert (nobody, rejected, wanted, undetermined) == (False, False, True, True)
    assert rejects.asked[0] == {
        "context": IN_SPAN,
        "instrumentation_scope": InstrumentationScope("shop", "1"),
        "severity_number": SeverityNumber.INFO,
        "event_name": "e",
    }
    with LoggerProvider(exporters=["console"]) as provider:
        provider.add_log_record_processor(Processor(wants=False))
        assert provider.get_logger("shop").enabled() is True


def test_what_enabled_says_does_not_filter_what_is_emitted():
    processor = Processor(wants=False)
    with recorder_with(processor) as recorder:
        recorder.logger().info("m")
    assert len(processor.seen) == 1


def test_a_processor_that_stands_for_several_is_taken_by_the_constructor():
    processor = Processor()
    with LoggerProvider(Resource.get_empty(), False, processor, exporters=["none"]) as provider:
        provider.get_logger("shop").emit(body="m")
    assert len(processor.seen) == 1


def test_a_processor_added_later_reaches_loggers_that_were_returned_before():
    processor = Processor()
    with LoggerProvider(exporters=["none"]) as provider:
        logger = provider.get_logger("shop")
        logger.emit(body="before")
        provider.add_log_record_processor(processor)
        logger.emit(body="after")
    assert [seen.log_record.body for seen in processor.seen] == ["after"]


def test_loggers_processors_flushes_and_shutdown_may_be_asked_for_from_many_threads_at_once():
    provider = LoggerProvider(exporters=["none"])
    processors, failures, loggers = [Processor() for _ in range(8)], [], set()
    start = threading.Barrier(len(processors))

    def work(processor):
        try:
            start.wait()
            provider.add_log_record_processor(processor)
            for number in range(50):
                loggers.add(provider.get_logger(f"shop.{number % 5}"))
                provider.get_logger("shop").emit(body=number)
                provider.force_flush(5_000)
            provider.shutdown()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(processor,)) for processor in processors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert provider.ledger().balanced
    # One that came after the shutdown is not taken, and so not ended.
    assert max(processor.ended for processor in processors) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_keeps_the_processors_with_the_scopes_and_the_resource_of_its_own():
    processor = Processor()
    with LoggerProvider(exporters=["none"]) as provider:
        provider.add_log_record_processor(processor)
        provider.get_logger("first").emit(body="parent")
        child = os.fork()
        if child == 0:
            provider.get_logger("second").emit(body="child")
            provider.get_logger("first").emit(body="child")
            scopes = [seen.instrumentation_scope.name for seen in processor.seen[1:]]
            own = processor.seen[1].resource is provider.resource
            os._exit(0 if scopes == ["second", "first"] and own else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(processor.seen) == 1


@pytest.mark.parametrize("timeout_millis", [10**18, float("inf"), float("nan"), 1_500.5])
def test_a_timeout_beyond_all_clocks_is_a_long_one(timeout_millis, capsys):
    exporter = InMemoryLogRecordExporter()
    settings = Settings.load(environ={})
    with LoggerProvider(settings=settings, exporters=[exporter]) as provider:
        provider.add_log_record_processor(Processor())
        for number in range(2):
            provider.get_logger("shop").emit(body=number)
            assert provider.force_flush(timeout_millis)
        assert provider.shutdown(timeout_millis)
    assert [record.log_record.body for record in exporter.get_finished_logs()] == [0, 1]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [BatchLogRecordProcessor, SimpleLogRecordProcessor])
@pytest.mark.parametrize(
    ("exporters", "variables", "said"),
    [
        (None, {}, True),
        (["otlp"], {}, False),
        (["none"], {}, False),
        (None, {"OTEL_LOGS_EXPORTER": "otlp"}, False),
    ],
)
def test_a_second_otlp_exporter_beside_the_one_by_default_is_said(capsys, kind, exporters, variables, said):
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    diagnostics._voice.forget()
    settings = Settings.load(environ=variables)
    provider = LoggerProvider(settings=settings, exporters=exporters, shutdown_on_exit=False)
    provider.add_log_record_processor(kind(InMemoryLogRecordExporter()))
    assert capsys.readouterr().err == ""
    provider.add_log_record_processor(kind(OTLPLogExporter()))
    line = (
        "fapilog: OTLPLogExporter of a processor sends what the exporter 'otlp' of this LoggerProvider sends"
        " by default; leave the processor out, or say exporters=['none'] [delivered-twice]\n"
    )
    assert capsys.readouterr().err == (line if said else "")
    provider.shutdown(0)
