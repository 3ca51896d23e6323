"""Stage 2 of 7, capture: enrichers that are asked now and then, all at once. Thread: the delivery loop.

Records carry the latest answers; none waits for one. An enricher that fails or is too slow keeps its last
answer and delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fapilog import _native
from fapilog.delivery.calls import Called, Calls
from fapilog.diagnostics import shown_error
from fapilog.enrichers.base import Source
from fapilog.enrichers.enrichment import Enrichment
from fapilog.exporters.worker import Worker
from fapilog.plugins import is_async
from fapilog.timings import Timings


class Refreshing:
    """The enrichers of one provider that are refreshed.

    Args:
        enrichment: Takes the answers.
        timings: Where calls are added up, as `enricher`.
    """

    def __init__(self, enrichment: Enrichment | None, timings: Timings) -> None:
        self._enrichment = enrichment
        self._timings = timings
        self._pipelines: list[_native.Pipeline] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._calls: list[Calls] = []
        self._workers: list[Worker] = []

    def serve(self, pipeline: _native.Pipeline) -> None:
        """Let the records of a further pipeline carry the answers too; the first one starts the questions."""
        enrichment = self._enrichment
        if enrichment is None or not enrichment.refreshed:
            return
        enrichment.attach(pipeline)
        if not self._pipelines:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._keep_fresh(enrichment, key, source))
                for key, source in enrichment.refreshed.items()
            ]
        self._pipelines.append(pipeline)

    async def stop(self) -> None:
        """Ask nothing more, and break off what is under way."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for calls in self._calls:
            await calls.stop()
        for worker in self._workers:
            worker.stop()
        self._pipelines = []

    async def _keep_fresh(self, enrichment: Enrichment, key: int, source: Source) -> None:
        ask, calls = self._question(source), Calls()
        self._calls.append(calls)
        while True:
            if calls.running:  # one that does not end after its timeout is not asked a second time
                await asyncio.sleep(source.refresh_seconds or 0.0)
                continue
            called = await calls.call(ask, source.timeout_seconds)
            failed = called.timed_out or called.error is not None
            self._timings.add("enricher", source.name, called.seconds, failed=failed)
            try:
                self._take(enrichment, key, called)
            except Exception as error:  # of a mapping that cannot be read
                enrichment.failed(key, shown_error(error))
            await asyncio.sleep(source.refresh_seconds or 0.0)

    def _take(self, enrichment: Enrichment, key: int, called: Called) -> None:
        if called.timed_out:
            enrichment.failed(key, f"no answer after {called.seconds:.1f} s")
        elif called.error is not None:
            enrichment.failed(key, shown_error(called.error))
        elif (attributes := enrichment.answered(key, called.value)) is not None:
            for pipeline in self._pipelines:
                pipeline.set_enrichment(attributes)

    def _question(self, source: Source) -> Callable[[], Awaitable[Any]]:
        """The call; of a plain function in a thread of its own, because it may block."""
        ask: Any = source.ask
        if is_async(ask):
            return ask  # type: ignore[no-any-return]
        worker = Worker(f"fapilog-enrich-{source.name}")
        self._workers.append(worker)
        return partial(worker.run, ask)
