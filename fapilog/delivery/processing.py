"""Stage 6 of 7, export: async batch processors, before any exporter sees a block. Threads: the delivery loop.

A processor that fails, is too slow or answers nonsense leaves the block as it was: what must not leave the
process was hidden at stage 3 already, before the block was made, and losing records would be worse than not
having changed them. What it returns is encoded anew, and redacted and limited again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from opentelemetry.sdk._logs import ReadableLogRecord

from fapilog import _native
from fapilog.batch import LogBatch
from fapilog.delivery.breaker import Breaker
from fapilog.delivery.calls import Called, Calls
from fapilog.diagnostics import Tell, shown_error
from fapilog.settings import DeliverySettings
from fapilog.timings import Timings

BatchResult = LogBatch | Sequence[ReadableLogRecord] | None


class BatchProcessor(Protocol):
    """Sees every block before the exporters do, in the order of registration; a function will do as well.

    Example:
        >>> class KeepErrors:
        ...     async def process(self, batch):
        ...         return [each for each in batch if each.log_record.severity_number.value >= 17]
    """

    async def process(self, batch: LogBatch) -> BatchResult:
        """Return other records; None: the batch as it came; empty: none of it.

        It may not return more records than it got.
        """


class _Step:
    """One processor with its breaker."""

    def __init__(self, processor: Any, settings: DeliverySettings, tell: Tell, timings: Timings) -> None:
        named = getattr(processor, "name", None) or getattr(processor, "__name__", None)
        self.name = str(named or type(processor).__name__)
        self.calls = Calls()
        # `otel.given` let nothing else through.
        self._function: Callable[[LogBatch], Awaitable[BatchResult]] = getattr(
            processor, "process", processor
        )
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_pause_millis / 1_000)
        self._timeout_seconds = settings.processor_timeout_millis / 1_000
        self._tell = tell
        self._timings = timings

    async def apply(self, batch: LogBatch, pipeline: _native.Pipeline) -> LogBatch | None:
        """Return what the processor makes of the batch; None: nothing."""
        loop = asyncio.get_running_loop()
        ticket = self._breaker.enter(loop.time())
        if ticket is None:
            return None
        if self.calls.running:
            called, after, problem = Called(), None, "its call before has not ended"
        else:
            called = await self.calls.call(lambda: self._function(batch), self._timeout_seconds)
            after, problem = _result(called, batch, pipeline)
        self._timings.add("batch_processor", self.name, called.seconds, failed=bool(problem))
        if problem:
            self._breaker.failed(ticket, loop.time())
            what = f"batch processor {self.name}: {problem}; the block passes on as it was"
            self._tell("batch-processor-failed", what, self.name)
        else:
            self._breaker.succeeded(ticket)
        return after


class Processing:
    """All batch processors of one provider.

    Args:
        processors: Run in this order.
        settings: Timeout and breaker.
        tell: Told what people should hear of.
        timings: Where the calls are added up.
    """

    def __init__(
        self, processors: Sequence[Any], settings: DeliverySettings, tell: Tell, timings: Timings
    ) -> None:
        self._steps = [_Step(processor, settings, tell, timings) for processor in processors]
        self._tell = tell
        self._pipelines: list[_native.Pipeline] = []
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def serve(self, pipeline: _native.Pipeline) -> None:
        """Process the blocks of a further pipeline too."""
        self._pipelines.append(pipeline)
        self.wake()

    def wake(self) -> None:
        """Process what there is, one block after the other."""
        self._again = True
        if self._steps and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._done)

    async def stop(self) -> None:
        """Break off what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for step in self._steps:
            await step.calls.stop()

    async def _run(self) -> None:
        while self._again:
            self._again = False
            for pipeline in self._pipelines:
                while (block := pipeline.claim_unprocessed()) is not None:
                    await self._process(pipeline, block)

    async def _process(self, pipeline: _native.Pipeline, block: _native.Batch) -> None:
        batch, changed = LogBatch(block), False
        try:
            for step in self._steps:
                after = await step.apply(batch, pipeline)
                changed |= after is not None
                # What was done to the records of a batch that passes on unchanged does not count.
                batch = after if after is not None else batch.untouched()
            pipeline.processed(block.sequence, batch.otlp_bytes() if changed else None)
        except asyncio.CancelledError:
            pipeline.unprocessed(block.sequence)
            raise
        except BaseException as error:
            problem = f"batch processors: {shown_error(error)}; the block passes on as it was"
            self._tell("batch-processor-failed", problem, "")
            pipeline.processed(block.sequence, None)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()
            if self._again:
                self.wake()


def _result(called: Called, batch: LogBatch, pipeline: _native.Pipeline) -> tuple[LogBatch | None, str]:
    """The batch after a call, None if it is as before; and what was wrong with the call."""
    if called.timed_out:
        return None, f"no answer after {called.seconds:.1f} s"
    if called.error is not None:
        return None, shown_error(called.error)
    value = called.value
    if value is None or (value is batch and not batch.decoded):
        return None, ""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return None, f"it returned {type(value).__name__}, not records"
    try:
        records = list(value)
        if len(records) > len(batch):
            return None, f"it returned {len(records)} records for {len(batch)}; it may not add any"
        return LogBatch.from_records(records, pipeline), ""
    except Exception as error:
        return None, f"it returned something else than records: {shown_error(error)}"
