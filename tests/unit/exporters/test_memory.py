"""Records in memory: kept in order, bounded, forgotten on request and by a forked child."""

import asyncio
import os

import pytest

import fapilog
from fapilog import Settings
from fapilog.errors import LifecycleError
from fapilog.exporters import memory as by_name
from fapilog.exporters.base import ExportOutcome, is_exporter
from fapilog.exporters.memory import MemoryExporter
from tests.unit.exporters.batches import batch_of


def export(memory, *bodies):
    return asyncio.run(memory.export_batch(batch_of(*bodies)))


def kept(memory):
    return [record.log_record.body for record in memory.get_finished_logs()]


def test_records_are_kept_in_order():
    memory = MemoryExporter()
    assert [export(memory, "a", "b"), export(memory, "c")] == [ExportOutcome(2), ExportOutcome(1)]
    assert (kept(memory), memory.forgotten, is_exporter(memory)) == (["a", "b", "c"], 0, True)


def test_the_name_makes_one_that_can_be_found_and_read_after_the_end():
    with fapilog.LoggerProvider(exporters=["memory"]) as provider:
        provider.get_logger("jobs").emit(body="started", attributes={"password": "p"})
        assert provider.force_flush()
        assert provider.ledger().exporters["memory"].delivered == 1
    [record] = by_name.newest().get_finished_logs()
    assert (record.log_record.body, record.log_record.attributes["password"]) == (
        "started",
        "[REDACTED:secret]",
    )


def test_the_variable_may_name_it():
    assert Settings.load(environ={"FAPILOG_EXPORTERS": "memory"}).exporters == ("memory",)


def test_without_one_the_error_says_how_to_have_one(monkeypatch):
    monkeypatch.setattr(by_name, "_newest", None)
    with pytest.raises(LifecycleError, match="FAPILOG_EXPORTERS=memory"):
        by_name.newest()


def test_the_oldest_records_give_way():
    memory = MemoryExporter(limit_records=3)
    export(memory, "a", "b")
    export(memory, "c", "d", "e")
    assert (kept(memory), memory.forgotten) == (["c", "d", "e"], 2)
    export(memory, *"fghi")
    assert (kept(memory), memory.forgotten) == (["g", "h", "i"], 6)


def test_what_is_cleared_is_gone():
    memory = MemoryExporter(limit_records=1)
    export(memory, "a", "b")
    memory.clear()
    assert (kept(memory), memory.forgotten) == ([], 0)


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="limit_records is 0"):
        MemoryExporter(limit_records=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_with_none():
    memory = MemoryExporter()
    export(memory, "parent")
    pid = os.fork()
    if pid == 0:
        before = kept(memory)
        export(memory, "child")
        os._exit(0 if (before, kept(memory)) == ([], ["child"]) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert kept(memory) == ["parent"]
