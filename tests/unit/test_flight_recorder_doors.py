"""The flight recorder behind every door: the OpenTelemetry API, a stock provider, structlog, loguru."""

import logging

import loguru
import pytest
import structlog
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider as StockLoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.trace import TracerProvider

from fapilog import FapilogLogRecordProcessor, FlightRecorderSpanProcessor, Settings
from fapilog.bridges import loguru as loguru_bridge
from fapilog.bridges.structlog import FapilogProcessor
from tests.unit.flights import Recording


def api(recording):
    logger = recording.provider.get_logger("door")
    return (
        lambda: logger.emit(body="kept", severity_number=SeverityNumber.DEBUG),
        lambda: logger.emit(body="failed", severity_number=SeverityNumber.ERROR),
    )


def api_with_context(recording):
    """Emit outside of the span, which the context names."""
    logger, context = recording.provider.get_logger("door"), trace.context_api.get_current()
    none = trace.set_span_in_context(trace.INVALID_SPAN)

    def emit(body, severity):
        token = trace.context_api.attach(none)
        logger.emit(body=body, severity_number=severity, context=context)
        trace.context_api.detach(token)

    return lambda: emit("kept", SeverityNumber.DEBUG), lambda: emit("failed", SeverityNumber.ERROR)


def through_structlog(recording):
    processors = [structlog.processors.add_log_level, FapilogProcessor(recording.provider.handle)]
    log = structlog.wrap_logger(None, processors=processors, wrapper_class=structlog.BoundLogger)
    return lambda: log.debug("kept"), lambda: log.error("failed")


def through_loguru(recording):
    loguru.logger.remove()
    loguru_bridge.install(handle=recording.provider.handle)
    return lambda: loguru.logger.debug("kept"), lambda: loguru.logger.error("failed")


@pytest.mark.parametrize("door", [api, api_with_context, through_structlog, through_loguru])
def test_a_record_below_the_level_is_kept_and_an_error_lets_it_out(door):
    # The OpenTelemetry API has a level only where somebody chose one.
    with Recording(level="info") as recording:
        with recording.span():
            debug, error = door(recording)
            debug()
            assert recording.shown == []
            error()
            debug()
        with recording.span():
            debug, _ = door(recording)
            debug()
        loguru.logger.remove()
        assert recording.shown == [("kept", "error"), ("failed", None), ("kept", "error")]


def test_a_processor_on_a_stock_provider_keeps_records_too():
    exporter = InMemoryLogRecordExporter()
    settings = Settings.load(environ={}, level="info", flight_recorder={"enabled": True})
    processor = FapilogLogRecordProcessor(exporter, settings=settings)
    provider, tracers = StockLoggerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    tracers.add_span_processor(FlightRecorderSpanProcessor(processor))
    logger, tracer = provider.get_logger("door"), tracers.get_tracer("door")
    for status in (trace.StatusCode.OK, trace.StatusCode.ERROR):
        with tracer.start_as_current_span("GET /") as span:
            logger.emit(body=f"kept {status.name}", severity_number=SeverityNumber.DEBUG)
            span.set_status(status)
    with tracer.start_as_current_span("GET /"):
        logger.emit(body="asked for", severity_number=SeverityNumber.DEBUG)
        assert processor.export_recorded() == 1
    assert provider.force_flush(10_000)
    found = [
        (record.log_record.body, dict(record.log_record.attributes))
        for record in exporter.get_finished_logs()
    ]
    assert found == [
        ("kept ERROR", {"fapilog.flight_recorder": "failed"}),
        ("asked for", {"fapilog.flight_recorder": "asked"}),
    ]
    assert processor.ledger().balanced
    provider.shutdown()


def test_a_logger_of_logging_with_a_level_of_its_own_is_open_too(configure):
    captured = []
    telemetry = configure("shop", flight_recorder={"enabled": True, "levels": {"loud": "info"}})
    telemetry.logger_provider.pipeline.add_tap(lambda record, scope: captured.append(scope))
    own, loud = logging.getLogger("own.level"), logging.getLogger("loud.library")
    own.setLevel(logging.WARNING)
    try:
        with trace.get_tracer("shop").start_as_current_span("GET /"):
            assert not loud.isEnabledFor(logging.DEBUG)
            own.debug("kept")
            loud.debug("not kept")
            own.error("failed")
        assert captured == ["own.level", "own.level"]
    finally:
        own.setLevel(logging.NOTSET)
