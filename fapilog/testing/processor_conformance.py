"""What fapilog expects of an async batch processor, as a pytest class: inherit, name your object, run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord

from fapilog.batch import LogBatch
from fapilog.delivery.calls import Called, Calls
from fapilog.exporters.base import ExportOutcome
from fapilog.otel.provider import LoggerProvider
from fapilog.plugins import batch_function
from fapilog.settings import Settings
from fapilog.testing.samples import sample_batch, through


class ProcessorConformance:
    """Behaviour that delivery relies on of an async batch processor. Override `make_processor`.

    Example:
        >>> class TestNothing(ProcessorConformance):
        ...     def make_processor(self):
        ...         async def nothing(batch):
        ...             return None
        ...         return nothing
        >>> TestNothing().test_it_takes_records_of_every_shape()
    """

    timeout_seconds = 5.0
    """Time for one call, as `delivery.processor_timeout_millis`."""

    def make_processor(self) -> Any:
        """Return a new processor; called once per test."""
        raise NotImplementedError("make_processor() returns the processor under test")

    def test_it_takes_records_of_every_shape(self) -> None:
        """It returns records or None, never raises, and adds no record."""
        for count in (1, 2, 3, 50):
            result = self._process(self.make_processor(), sample_batch(count))
            if result is not None:
                assert isinstance(result, Sequence), type(result)
                assert len(result) <= count, "a processor cannot add records"
                assert all(isinstance(each, ReadableLogRecord) for each in result)

    def test_what_it_returns_can_be_encoded(self) -> None:
        """Each record that it returns becomes a record for the exporters."""
        result = self._process(self.make_processor(), sample_batch(6))
        if result is not None:
            with LoggerProvider(settings=Settings.load(environ={}), exporters=["none"]) as provider:
                encoded = LogBatch.from_records(result, provider.pipeline)
            assert len(encoded) == len(result)

    def test_the_same_batch_gives_the_same_count_again(self) -> None:
        """Calls do not disturb each other, also at the same time."""
        processor = self._function(self.make_processor())

        async def main() -> list[Any]:
            batches = [sample_batch(5) for _ in range(4)]
            return await asyncio.gather(*(processor(batch) for batch in batches))

        results = asyncio.run(main())
        assert all(result is None or len(result) <= 5 for result in results)

    def test_a_cancelled_call_leaves_it_usable(self) -> None:
        """Delivery cancels calls that take too long, and calls again."""
        processor = self._function(self.make_processor())

        async def main() -> Called:
            calls = Calls()
            first = asyncio.ensure_future(calls.call(lambda: processor(sample_batch(3)), None))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            return await calls.call(lambda: processor(sample_batch(3)), self.timeout_seconds)

        called = asyncio.run(main())
        assert called.error is None, called.error
        assert not called.timed_out

    def test_behind_a_provider_the_ledger_adds_up(self) -> None:
        """Every record is delivered, or dropped as `processed`; the processor is never skipped."""
        delivered: list[int] = []

        class Counting:
            name = "counting"

            async def export_batch(self, batch: LogBatch) -> Any:
                delivered.append(len(batch))
                return ExportOutcome(delivered=len(batch))

        ledger = through(Counting(), lambda _: None, batch_processors=[self.make_processor()])
        side = ledger.exporters["counting"]
        assert ledger.balanced, str(ledger)
        assert side.delivered + side.dropped.get("processed", 0) == ledger.accepted, str(ledger)
        assert sum(delivered) == side.delivered

    def _function(self, processor: Any) -> Callable[[LogBatch], Any]:
        function = batch_function(processor)
        assert function is not None, "a batch processor is an async function, or has `async def process`"
        return function

    def _process(self, processor: Any, batch: LogBatch) -> Any:
        async def main() -> Called:
            return await Calls().call(lambda: self._function(processor)(batch), self.timeout_seconds)

        called = asyncio.run(main())
        assert called.error is None, called.error
        assert not called.timed_out, f"no answer within {self.timeout_seconds} s"
        return called.value
