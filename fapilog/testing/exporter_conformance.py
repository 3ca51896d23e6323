"""What fapilog expects of an exporter, as a pytest class: inherit, name your object, run.

    class TestMyExporter(ExporterConformance):
        def make_exporter(self):
            return MyExporter(self.server.url)

Exporters of fapilog and of OpenTelemetry are checked alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from fapilog.batch import LogBatch
from fapilog.delivery.calls import Called, Calls
from fapilog.delivery.outcomes import Verdict, judge
from fapilog.exporters.base import is_exporter, is_otel_exporter
from fapilog.exporters.otel_adapter import OtelExporterAdapter
from fapilog.otel.provider import LoggerProvider
from fapilog.testing.samples import sample_batch, through

_Result = TypeVar("_Result")
_SHORT_MILLIS = 200
# Ample on a slow machine: a deadline that is kept is kept well before.
_SLACK_SECONDS = 5.0


class ExporterConformance:
    """Behaviour that delivery relies on. Override `make_exporter`, and more where you can.

    Example:
        >>> from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
        >>> class TestInMemory(ExporterConformance):
        ...     def make_exporter(self):
        ...         self.exporter = InMemoryLogRecordExporter()
        ...         return self.exporter
        ...     def received(self):
        ...         return len(self.exporter.get_finished_logs())
        >>> TestInMemory().test_every_record_of_a_batch_is_delivered()
    """

    def make_exporter(self) -> Any:
        """Return a new exporter whose destination works; called once per test."""
        raise NotImplementedError("make_exporter() returns the exporter under test")

    def received(self) -> int | None:
        """Return how many records the destination of the last exporter took; None: it cannot tell.

        Records that are to be counted differ, so a destination that stores none twice counts them all.
        """
        return None

    def break_destination(self) -> None:
        """Let the destination of the last exporter fail from now on. Default: tests of that are skipped."""
        pytest.skip("break_destination() is not overridden")

    def test_it_is_an_exporter_with_a_name(self) -> None:
        """It has the methods of one of the two kinds."""
        exporter = self.make_exporter()
        assert is_exporter(exporter) or is_otel_exporter(exporter), "neither export_batch() nor export()"
        if is_exporter(exporter):
            assert isinstance(exporter.name, str), "name is the key of its side of the ledger"
            assert exporter.name
            assert getattr(exporter, "max_in_flight", 1) >= 1

    def test_every_record_of_a_batch_is_delivered(self) -> None:
        """Records of every shape arrive, and the outcome says so."""
        verdict = _run(self._exporter(), lambda calls: calls.export(sample_batch(7)))
        assert verdict == Verdict(delivered=7), verdict
        assert self.received() in (None, 7)

    def test_a_batch_of_one_record_is_delivered(self) -> None:
        """The smallest batch there is."""
        assert _run(self._exporter(), lambda calls: calls.export(sample_batch(1))) == Verdict(delivered=1)
        assert self.received() in (None, 1)

    def test_batches_at_once_are_each_delivered(self) -> None:
        """As many calls at the same time as it allows."""
        exporter = self._exporter()
        at_once = max(1, getattr(exporter, "max_in_flight", 1))

        async def export(calls: _Calls) -> list[Verdict]:
            batches = [sample_batch(3, number) for number in range(at_once)]
            return await asyncio.gather(*map(calls.export, batches))

        assert _run(exporter, export) == [Verdict(delivered=3)] * at_once
        assert self.received() in (None, 3 * at_once)

    def test_a_failing_destination_is_an_outcome_that_accounts_for_every_record(self) -> None:
        """Nothing is delivered, and nothing but an outcome or a connection error comes back."""
        exporter = self._exporter()
        self.break_destination()
        before = self.received()
        verdict = _run(exporter, lambda calls: calls.export(sample_batch(3)))
        assert verdict.delivered == 0, verdict
        assert verdict.retry or verdict.rejected == 3, verdict
        assert verdict.code != "exporter-failed", verdict.cause
        assert self.received() == before

    def test_flush_and_shutdown_keep_their_time(self) -> None:
        """Both end soon, with nothing to do and with a destination that may be slow."""

        async def end(calls: _Calls) -> None:
            await calls.export(sample_batch(3))
            for method in ("force_flush", "shutdown"):
                begun = time.monotonic()
                called = await calls.call(method, _SHORT_MILLIS)
                assert called.error is None, called.error
                assert time.monotonic() - begun < _SHORT_MILLIS / 1_000 + _SLACK_SECONDS, method

        _run(self._exporter(), end)

    def test_after_shutdown_nothing_is_delivered_and_nothing_hangs(self) -> None:
        """A late export fails soon; a second shutdown does nothing."""

        async def late(calls: _Calls) -> tuple[int | None, Verdict]:
            for _ in range(2):
                called = await calls.call("shutdown", 1_000)
                assert called.error is None, called.error
            before = self.received()
            return before, await calls.export(sample_batch(3))

        before, verdict = _run(self._exporter(), late)
        arrived = before is None or self.received() != before
        assert not verdict.delivered or arrived, "it says delivered, and nothing arrived"

    def test_a_cancelled_call_leaves_it_usable(self) -> None:
        """Delivery cancels calls that take too long, and calls again."""

        async def cancel(calls: _Calls) -> Verdict:
            task = asyncio.ensure_future(calls.export(sample_batch(3)))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await calls.ended()
            return await calls.export(sample_batch(2))

        assert _run(self._exporter(), cancel) == Verdict(delivered=2)

    def test_behind_a_provider_the_ledger_adds_up(self) -> None:
        """From the log call to its shutdown, no record is lost or counted twice."""
        exporter = self.make_exporter()
        ledger = through(exporter, lambda _: None)
        (side,) = ledger.exporters.values()
        assert ledger.balanced, str(ledger)
        assert (side.delivered, side.pending) == (ledger.accepted, 0), str(ledger)
        assert self.received() in (None, ledger.accepted)

    def test_behind_a_provider_a_failing_destination_never_raises(self) -> None:
        """Log calls, flush and shutdown go on, in their time, and every record is accounted for."""
        exporter = self.make_exporter()

        def break_it(provider: LoggerProvider) -> None:
            assert provider.force_flush(10_000)
            self.break_destination()

        begun = time.monotonic()
        ledger = through(exporter, break_it, flush=False)
        assert ledger.balanced, str(ledger)
        assert time.monotonic() - begun < 10.0 + 2 * _SLACK_SECONDS

    def _exporter(self) -> Any:
        exporter = self.make_exporter()
        return exporter if is_exporter(exporter) else OtelExporterAdapter(exporter)


class _Calls:
    """Calls of an exporter of ours as delivery makes them."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self._calls = Calls()

    async def export(self, batch: LogBatch) -> Verdict:
        called = await self._calls.call(lambda: self._exporter.export_batch(batch), 10.0)
        return judge(called, len(batch), retries_itself=getattr(self._exporter, "retries_itself", False))

    async def call(self, method: str, timeout_millis: int) -> Called:
        function = getattr(self._exporter, method, None)
        return (
            Called() if function is None else await self._calls.call(lambda: function(timeout_millis), 10.0)
        )

    async def ended(self) -> None:
        """Wait until calls that were cancelled have ended."""
        deadline = time.monotonic() + _SLACK_SECONDS
        while self._calls.running and time.monotonic() < deadline:
            await asyncio.sleep(0.01)


def _run(exporter: Any, main: Callable[[_Calls], Coroutine[Any, Any, _Result]]) -> _Result:
    """Run calls of an exporter on a loop of their own, and shut it down."""

    async def all_of_it() -> _Result:
        calls = _Calls(exporter)
        try:
            return await main(calls)
        finally:
            await calls.call("shutdown", 1_000)

    return asyncio.run(all_of_it())
