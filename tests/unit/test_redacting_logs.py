"""Records of a stock `LoggerProvider` under the rules for ours."""

from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource

from fapilog.otel.redacting_logs import RedactingLogRecordExporter, RedactingLogRecordProcessor
from fapilog.settings.redaction import RedactionSettings

CARD = "4111 1111 1111 1111"
EMAIL = "ann@example.org"
SCAN = RedactionSettings(mode="scan")


def stock(*processors: LogRecordProcessor) -> LoggerProvider:
    resource = Resource({"owner": f"card {CARD}", "service.name": "shop"})
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for processor in processors:
        provider.add_log_record_processor(processor)
    return provider


def fill(provider: LoggerProvider) -> None:
    logger = provider.get_logger(f"shop {CARD}", "1", f"https://u:p@host/{EMAIL}", {"owner": EMAIL})
    logger.emit(
        LogRecord(
            timestamp=1,
            severity_text=f"severe {CARD}",
            severity_number=SeverityNumber.ERROR,
            body={"text": f"card {CARD}", "password": "hunter2", "list": [1, EMAIL]},
            attributes={"card": CARD, "api_key": "k-1", EMAIL: 1, "number": 4_111_111_111_111_111},
            event_name=f"paid {CARD}",
            exception=ValueError(f"declined {CARD}"),
        )
    )


def clean(exporter: InMemoryLogRecordExporter) -> Any:
    [record] = exporter.get_finished_logs()
    scope: Any = record.instrumentation_scope
    log: Any = record.log_record
    parts = [
        vars(log),
        dict(log.attributes or {}),
        dict(record.resource.attributes),
        scope,
        dict(scope.attributes),
    ]
    shown = repr(parts) + record.to_json()
    assert [secret for secret in ("4111", "hunter2", "k-1", EMAIL, "u:p@") if secret in shown] == []
    return log


def test_processors_after_ours_get_nothing_that_is_hidden():
    exporter = InMemoryLogRecordExporter()
    fill(stock(RedactingLogRecordProcessor(SCAN), SimpleLogRecordProcessor(exporter)))
    record = clean(exporter)
    assert record.body == {
        "text": "card [REDACTED:pan]",
        "password": "[REDACTED:secret]",
        "list": [1, "[REDACTED:email]"],
    }
    attributes = dict(record.attributes)
    assert attributes.pop("exception.message") == "declined [REDACTED:pan]"
    assert attributes.pop("exception.type") == "ValueError"
    attributes.pop("exception.stacktrace", None)
    assert attributes == {
        "card": "[REDACTED:pan]",
        "api_key": "[REDACTED:secret]",
        "[REDACTED:email]": 1,
        "number": "[REDACTED:pan]",
    }
    assert (record.event_name, record.severity_text) == ("paid [REDACTED:pan]", "severe [REDACTED:pan]")
    assert (record.timestamp, record.severity_number) == (1, SeverityNumber.ERROR)


def test_a_later_processor_may_still_add_attributes():
    class Adds(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            log_record.log_record.attributes["later"] = True

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    exporter = InMemoryLogRecordExporter()
    provider = stock(RedactingLogRecordProcessor(SCAN), Adds(), SimpleLogRecordProcessor(exporter))
    fill(provider)
    assert clean(exporter).attributes["later"] is True


def test_a_wrapped_exporter_is_safe_whatever_was_registered_when():
    exporter = InMemoryLogRecordExporter()
    batches = BatchLogRecordProcessor(RedactingLogRecordExporter(exporter, SCAN))
    fill(stock(batches, RedactingLogRecordProcessor()))
    assert batches.force_flush(30_000)
    clean(exporter)
    batches.shutdown()


def test_a_wrapped_exporter_leaves_the_record_as_it_is_for_others():
    mine, others = InMemoryLogRecordExporter(), InMemoryLogRecordExporter()
    wrapped = SimpleLogRecordProcessor(RedactingLogRecordExporter(mine, SCAN))
    fill(stock(wrapped, SimpleLogRecordProcessor(others)))
    clean(mine)
    [record] = others.get_finished_logs()
    assert record.log_record.event_name == f"paid {CARD}"


def test_a_record_that_cannot_be_read_goes_on_without_its_content(monkeypatch, capsys):
    class Odd:
        def __bool__(self) -> bool:
            raise ValueError("odd")

    exporter, ours = InMemoryLogRecordExporter(), RedactingLogRecordProcessor(SCAN)

    class Breaks(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            log_record.log_record.event_name = Odd()

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    stock(Breaks(), ours, SimpleLogRecordProcessor(exporter)).get_logger("shop").emit(LogRecord(body=CARD))
    [record] = exporter.get_finished_logs()
    assert record.log_record.body == "[REDACTED:unscanned]"
    assert "4111" not in repr(vars(record.log_record))
    assert "[unscanned]" in capsys.readouterr().err
