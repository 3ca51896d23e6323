"""What one call of an exporter, a processor or an enricher costs, without fapilog around it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fapilog.exporters.base import is_exporter
from fapilog.exporters.otel_adapter import OtelExporterAdapter
from fapilog.plugins import batch_function, is_async
from fapilog.testing.samples import sample_batch

# Calls before those that count: imports, connections, caches.
_WARM_UP_CALLS = 3


@dataclass(frozen=True)
class PluginCost:
    """What calls took.

    Attributes:
        calls: Calls that were measured.
        records: Records of one call.
        median_micros: Median time of a call, in microseconds.
        p99_micros: Time that 99 of 100 calls took at most.
    """

    calls: int
    records: int
    median_micros: float
    p99_micros: float

    @property
    def records_per_second(self) -> float:
        """Records of one call over its median time."""
        return self.records / self.median_micros * 1e6 if self.median_micros else float("inf")

    def __str__(self) -> str:
        each = f"{self.median_micros:,.1f} us a call, 99 of 100 below {self.p99_micros:,.1f} us"
        return f"{each}; {self.records_per_second:,.0f} records/s ({self.records} records a call)"


def measure_plugin(
    kind: str, made: Any, *, calls: int = 200, records: int = 100, clock: Callable[[], float] | None = None
) -> PluginCost:
    """Measure a plugin, call after call.

    Args:
        kind: `exporter`, `processor` (of batches) or `enricher`.
        made: The object. An exporter is called for real: give one whose destination may be filled.
        calls: How many calls count; three more come before them.
        records: Records of one batch; an enricher is asked for one record at a time.
        clock: Seconds; default: `time.perf_counter`.

    Raises:
        ValueError: There is nothing to call of this kind.

    Example:
        >>> cost = measure_plugin("enricher", lambda: {"team": "x"}, calls=10)
        >>> cost.calls, cost.records
        (10, 1)
    """
    call = _call(kind, made, records)
    clock = clock or time.perf_counter

    async def main() -> list[float]:
        spent = []
        for number in range(-_WARM_UP_CALLS, calls):
            begun = clock()
            answer = call()
            if answer is not None:
                await answer
            if number >= 0:
                spent.append(clock() - begun)
        return spent

    spent = sorted(asyncio.run(main()))
    highest = spent[min(len(spent) - 1, len(spent) * 99 // 100)]
    each = 1 if kind == "enricher" else records
    return PluginCost(len(spent), each, statistics.median(spent) * 1e6, highest * 1e6)


def _call(kind: str, made: Any, records: int) -> Callable[[], Awaitable[Any] | None]:
    if kind == "enricher":
        if isinstance(made, Mapping):
            return lambda: None
        return made if is_async(made) else _without_answer(made)
    batch = sample_batch(records)
    batch[0]  # decoded before it is measured
    if kind == "exporter":
        exporter = made if is_exporter(made) else OtelExporterAdapter(made)
        return lambda: exporter.export_batch(batch)
    function = batch_function(made) if kind == "processor" else None
    if function is None:
        raise ValueError(f"there is nothing to call: {type(made).__name__} as {kind}")
    return lambda: function(batch)


def _without_answer(function: Callable[[], Any]) -> Callable[[], None]:
    def call() -> None:
        function()

    return call
