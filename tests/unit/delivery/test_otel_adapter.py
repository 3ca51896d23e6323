"""OpenTelemetry's synchronous exporters behind the delivery loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from fapilog.diagnostics import is_delivering
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.otel_adapter import OtelExporterAdapter
from fapilog.exporters.worker import Worker

PATIENCE_SECONDS = 10.0


class Batch(list[object]):
    """Has a length; the adapter looks at nothing else."""


class Recording(LogRecordExporter):
    """Does what it is told, and notes where."""

    def __init__(self, export: Callable[[], Any] = lambda: LogRecordExportResult.SUCCESS) -> None:
        self.do = export
        self.calls: list[tuple[str, Any]] = []
        self.threads: list[threading.Thread] = []

    def export(self, batch: Any) -> Any:
        self.calls.append(("export", batch))
        self.threads.append(threading.current_thread())
        return self.do()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.calls.append(("force_flush", timeout_millis))
        return timeout_millis > 100

    def shutdown(self) -> None:
        self.calls.append(("shutdown", None))


def exported(export: Callable[[], Any], batch: Batch) -> ExportOutcome:
    async def main() -> ExportOutcome:
        adapter = OtelExporterAdapter(Recording(export))
        outcome = await adapter.export_batch(batch)
        await adapter.shutdown(1_000)
        return outcome

    return asyncio.run(main())


def raises(error: BaseException) -> Callable[[], Any]:
    def export() -> Any:
        raise error

    return export


def test_success_delivers_and_everything_else_rejects():
    batch = Batch([1, 2, 3])
    assert exported(lambda: LogRecordExportResult.SUCCESS, batch) == ExportOutcome(delivered=3)
    assert exported(lambda: LogRecordExportResult.FAILURE, batch) == ExportOutcome(
        rejected=3, cause="export() returned 'FAILURE'", error_type="_OTHER"
    )
    assert exported(lambda: None, batch) == ExportOutcome(
        rejected=3, cause="export() returned None", error_type="_OTHER"
    )
    assert exported(raises(OSError("gone")), batch) == ExportOutcome(
        rejected=3, cause="OSError: gone", error_type="OSError"
    )
    assert exported(raises(SystemExit(1)), batch) == ExportOutcome(
        rejected=3, cause="RuntimeError: SystemExit: 1", error_type="RuntimeError"
    )
    assert exported(raises(StopIteration()), batch).rejected == 3


def test_every_export_runs_in_one_worker_thread_that_is_marked_and_makes_no_spans():
    seen: list[tuple[bool, bool]] = []

    def export() -> LogRecordExportResult:
        key = otel_context._SUPPRESS_INSTRUMENTATION_KEY
        seen.append((is_delivering(), otel_context.get_value(key) is True))
        return LogRecordExportResult.SUCCESS

    exporter = Recording(export)

    async def main() -> None:
        adapter = OtelExporterAdapter(exporter)
        await adapter.export_batch(Batch([1]))
        await adapter.export_batch(Batch([2]))
        await adapter.shutdown(1_000)

    asyncio.run(main())
    assert seen == [(True, True)] * 2
    assert len(set(exporter.threads)) == 1
    assert exporter.threads[0] is not threading.current_thread()
    exporter.threads[0].join(PATIENCE_SECONDS)
    assert not exporter.threads[0].is_alive()
    assert not is_delivering()


def test_flush_and_shutdown_pass_on_and_do_not_wait_for_an_export_that_hangs():
    hang, begun = threading.Event(), threading.Event()

    def export() -> LogRecordExportResult:
        begun.set()
        hang.wait(PATIENCE_SECONDS)
        return LogRecordExportResult.SUCCESS

    exporter = Recording(export)

    async def main() -> None:
        adapter = OtelExporterAdapter(exporter)
        hanging = asyncio.ensure_future(adapter.export_batch(Batch([1])))
        await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        assert await adapter.force_flush(500) is True
        assert await adapter.force_flush(50) is False
        await adapter.shutdown(500)
        hanging.cancel()
        await asyncio.sleep(0)
        assert not hanging.done(), "the call that hangs is not joined by a second one"
        hang.set()
        await asyncio.wait([hanging], timeout=PATIENCE_SECONDS)
        assert hanging.cancelled()

    asyncio.run(main())
    assert exporter.calls[1:] == [("force_flush", 500), ("force_flush", 50), ("shutdown", None)]


def test_shutdown_gets_the_timeout_if_it_takes_one():
    class Timed(Recording):
        def shutdown(self, timeout_millis: int = 0) -> None:  # type: ignore[override]
            self.calls.append(("shutdown", timeout_millis))

    exporter = Timed()
    asyncio.run(OtelExporterAdapter(exporter).shutdown(700))
    assert exporter.calls == [("shutdown", 700)]


def test_an_exporter_from_before_force_flush_is_flushed():
    class Old:
        def export(self, batch: Any) -> Any:
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None: ...

    assert asyncio.run(OtelExporterAdapter(Old()).force_flush(1_000)) is True


def test_a_cancelled_call_lets_go_the_second_time():
    hang, begun = threading.Event(), threading.Event()

    def blocking() -> None:
        begun.set()
        hang.wait(PATIENCE_SECONDS)

    async def main() -> None:
        worker = Worker("test")
        task = asyncio.ensure_future(worker.run(blocking))
        await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        worker.stop()

    asyncio.run(main())
    hang.set()


def test_the_name_is_the_class_unless_one_is_given():
    assert OtelExporterAdapter(Recording()).name == "Recording"
    assert OtelExporterAdapter(Recording(), "vendor").name == "vendor"
