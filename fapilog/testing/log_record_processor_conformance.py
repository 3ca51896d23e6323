"""What fapilog expects of a `LogRecordProcessor` of OpenTelemetry, as a pytest class: inherit, name yours."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from fapilog.ledger import Ledger
from fapilog.otel.provider import LoggerProvider
from fapilog.plugins import is_log_record_processor
from fapilog.settings import Settings
from fapilog.testing.samples import sample_records

_RECORDS = 9


class LogRecordProcessorConformance:
    """Behaviour that log calls rely on of a processor that runs within them. Override `make_processor`.

    Example:
        >>> from opentelemetry.sdk._logs import LogRecordProcessor
        >>> class Nothing(LogRecordProcessor):
        ...     def on_emit(self, log_record): pass
        ...     def shutdown(self): pass
        ...     def force_flush(self, timeout_millis=30_000): return True
        >>> class TestNothing(LogRecordProcessorConformance):
        ...     def make_processor(self):
        ...         return Nothing()
        >>> TestNothing().test_it_takes_records_of_every_shape()
    """

    timeout_seconds = 5.0
    """Longest time of `force_flush` and `shutdown`, each."""

    def make_processor(self) -> Any:
        """Return a new processor; called once per test."""
        raise NotImplementedError("make_processor() returns the processor under test")

    def test_it_has_the_methods_of_a_log_record_processor(self) -> None:
        """`on_emit`, `shutdown` and `force_flush`."""
        assert is_log_record_processor(self.make_processor())

    def test_it_takes_records_of_every_shape(self) -> None:
        """No call of it raises, and no record is lost over it."""
        ledger, failures, exported = self._log(self.make_processor())
        assert failures == 0, f"{failures} calls raised"
        assert (ledger.accepted, ledger.balanced, exported) == (_RECORDS, True, _RECORDS), str(ledger)

    def test_flush_and_shutdown_keep_their_time_and_may_come_twice(self) -> None:
        """Both end soon, with nothing to do."""
        made = self.make_processor()
        for method in (made.force_flush, made.shutdown, made.shutdown):
            begun = time.monotonic()
            method()
            assert time.monotonic() - begun < self.timeout_seconds, method

    def _log(self, made: Any) -> tuple[Ledger, int, int]:
        exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        settings = Settings.load(environ={}, level="trace")
        with LoggerProvider(settings=settings, exporters=[exporter], processors=[made]) as provider:
            logger = provider.get_logger("conformance")
            for each in sample_records(_RECORDS):
                logger.emit(each.log_record)
            provider.force_flush()
            spent = provider.timings.snapshot()
            failures = sum(each.failures for (kind, _), each in spent.items() if "processor" in kind)
            return provider.ledger(), failures, len(exporter.get_finished_logs())
