"""Records per second to a third-party exporter: emitted through the OpenTelemetry API, until it has them all.

The exporter does nothing else than look at what it gets: at every record, or at the OTLP bytes. Stock has no
bytes to give, so beside it the exporter encodes them as stock exporters do. All run in this process, one
after the other, in rounds; the best round counts. The cost of the call is in it: application and worker share
the interpreter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.measure import Row
from benchmarks.options import Options

TITLE = "to an exporter that "
SIZES = (60_000, 10_000)
ROUNDS = (5, 2)
RECORD: dict[str, Any] = {
    "body": "order placed",
    "severity_text": "INFO",
    "attributes": {"order_id": 42, "amount": 12.5, "currency": "EUR", "customer": "c-1017", "express": True},
}

Look = Callable[[Sequence[Any]], object]


def run(options: Options) -> list[Row]:
    """Return one row per library and kind of exporter."""
    rows: list[Row] = []
    for what, ours, theirs in (
        ("looks at every record", _look_at_records, _look_at_records),
        ("sends OTLP bytes", _take_bytes, _encode),
    ):
        for library, figure in _measured(options, ours, theirs).items():
            rows.append(Row(library, TITLE + what, figure, "records/s", better="higher"))
    return rows


def _measured(options: Options, ours: Look, theirs: Look) -> dict[str, float]:
    """Records per second of each library, taken in turns so that the drift of the machine hits all alike."""
    makers: dict[str, tuple[Callable[[Look], tuple[Any, Any]], Look]] = {
        "fapilog provider": (_provider, ours),
        "fapilog processor on the SDK": (_processor, ours),
        "otel batch processor": (_stock, theirs),
    }
    best: dict[str, float] = {}
    for _ in range(options.pick(*ROUNDS)):
        for library, (make, look) in makers.items():
            best[library] = max(best.get(library, 0.0), _once(make, look, options.pick(*SIZES)))
    return best


def _once(make: Callable[[Look], tuple[Any, Any]], look: Look, count: int) -> float:
    provider, exporter = make(look)
    logger = provider.get_logger("orders")
    fields = _fields()
    logger.emit(**fields)
    provider.force_flush(60_000)
    exporter.records = 0
    start = time.perf_counter()
    for _ in range(count):
        logger.emit(**fields)
    provider.force_flush(120_000)
    seconds = time.perf_counter() - start
    provider.shutdown()
    if exporter.records != count:
        raise RuntimeError(f"{count} records were emitted, the exporter saw {exporter.records}")
    return count / seconds


def _fields() -> dict[str, Any]:
    from opentelemetry._logs import SeverityNumber

    return {**RECORD, "severity_number": SeverityNumber.INFO}


def _exporter(look: Look) -> Any:
    from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

    class Looking(LogRecordExporter):
        records = 0

        def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
            look(batch)
            self.records += len(batch)
            return LogRecordExportResult.SUCCESS

        def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
            return True

        def shutdown(self) -> None: ...

    return Looking()


def _look_at_records(batch: Sequence[Any]) -> None:
    for record in batch:
        record.log_record.attributes["order_id"]


def _take_bytes(batch: Any) -> None:
    batch.otlp_bytes()


def _encode(batch: Sequence[Any]) -> None:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    encode_logs(batch).SerializeToString()


def _provider(look: Look) -> tuple[Any, Any]:
    from fapilog import LoggerProvider, Settings

    exporter = _exporter(look)
    return LoggerProvider(settings=Settings.load(environ={}), exporters=[exporter]), exporter


def _processor(look: Look) -> tuple[Any, Any]:
    from opentelemetry.sdk._logs import LoggerProvider

    from fapilog import FapilogLogRecordProcessor, Settings

    exporter, provider = _exporter(look), LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(FapilogLogRecordProcessor(exporter, settings=Settings.load(environ={})))
    return provider, exporter


def _stock(look: Look) -> tuple[Any, Any]:
    """The queue as large as the run: the default one of 2,048 would lose most of it."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    exporter, provider = _exporter(look), LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=200_000))
    return provider, exporter


if __name__ == "__main__":
    for row in run(Options.from_arguments()):
        print(f"{row.library:30} {row.measurement:45} {row.value:12,.0f} {row.unit}")
