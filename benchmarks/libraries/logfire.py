"""logfire without its cloud. It exports its logs as spans, so its OTLP goes to /v1/traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.libraries.base import Library
from benchmarks.scenarios import Scenario

QUEUE_RECORDS = 1_000_000
HOLD_MILLIS = 3_600_000


def counting_exporter(endpoint: str) -> Any:
    """Return the stock OTLP span exporter with a count of acknowledged spans."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    class Counting(OTLPSpanExporter):
        delivered = 0

        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            result = super().export(spans)
            if result is SpanExportResult.SUCCESS:
                self.delivered += len(spans)
            return result

    return Counting(endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip)


class Logfire(Library):
    """`send_to_logfire=False`, one BatchSpanProcessor with the OTLP exporter, console off."""

    name = "logfire"
    distribution = "logfire"
    imports = "logfire"
    otlp = True
    signal = "traces"

    def prepare(self, endpoint: str | None, *, hold: bool = False) -> None:
        """Configure; `hold` keeps the batch processor asleep until `flush()`."""
        import logfire
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._exporter = counting_exporter(endpoint or "http://127.0.0.1:9")
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=QUEUE_RECORDS,
            schedule_delay_millis=HOLD_MILLIS if hold else None,
            max_export_batch_size=QUEUE_RECORDS if hold else None,
        )
        self._logfire = logfire.configure(
            send_to_logfire=False,
            console=False,
            metrics=False,
            min_level="info",
            service_name="benchmark",
            additional_span_processors=[self._processor],
        )

    def method(self, scenario: Scenario) -> Callable[..., Any] | None:
        """Return the level method; bound attributes are not offered, only baggage is."""
        return None if scenario.bound else getattr(self._logfire, scenario.level)

    def flush(self) -> bool:
        """Export everything queued."""
        return bool(self._logfire.force_flush(60_000))

    def delivered(self) -> int:
        """Return the acknowledged spans."""
        return int(self._exporter.delivered)

    def close(self) -> None:
        """Shut down."""
        self._logfire.shutdown(60_000, flush=True)
