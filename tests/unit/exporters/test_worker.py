"""Threads for calls that block: where none can be started, no record is lost."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from fapilog.delivery.calls import Called
from fapilog.delivery.outcomes import judge
from fapilog.exporters.aside import run_aside
from fapilog.exporters.otel_adapter import OtelExporterAdapter
from fapilog.exporters.worker import ThreadNotStartedError, Worker
from fapilog.testing.samples import sample_batch


@pytest.fixture
def no_threads(monkeypatch):
    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr("fapilog.exporters.worker.threading", SimpleNamespace(Thread=Refused))
    return monkeypatch


def test_records_come_again_where_no_thread_can_be_started(no_threads):
    with pytest.raises(ThreadNotStartedError, match="no thread for sending") as caught:
        asyncio.run(run_aside(int, "sending"))
    verdict = judge(Called(error=caught.value), 5)
    assert (verdict.retry, verdict.rejected) == (True, 0)


def test_an_exporter_of_opentelemetry_gets_the_batch_later(no_threads):
    stock = InMemoryLogRecordExporter()
    adapter = OtelExporterAdapter(stock)
    outcome = asyncio.run(adapter.export_batch(sample_batch(3)))
    assert (outcome.retry, outcome.rejected) == (True, 0)
    assert outcome.error_type.endswith("ThreadNotStartedError")
    no_threads.undo()
    assert asyncio.run(adapter.export_batch(sample_batch(3))).delivered == 3
    assert len(stock.get_finished_logs()) == 3


def test_a_worker_begins_anew_after_a_thread_that_could_not_be_started(no_threads):
    worker = Worker("later")
    with pytest.raises(ThreadNotStartedError):
        asyncio.run(worker.run(int))
    no_threads.undo()
    assert asyncio.run(worker.run(int)) == 0
    worker.stop()
