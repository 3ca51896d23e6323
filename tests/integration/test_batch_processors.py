"""Async batch processors: before every exporter, native ones included; what they return is redacted again."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from fapilog import LogBatch, LoggerProvider, Settings
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver

PATIENCE_MILLIS = 20_000


class World:
    """A provider with a native exporter and one in Python, and what both got."""

    def __init__(self, receiver: OtlpReceiver, *processors: Any, **delivery: Any) -> None:
        self.receiver = receiver
        self.memory = InMemoryLogRecordExporter()
        settings = Settings.load(
            environ={},
            sequence=False,
            buffer={"schedule_delay_millis": 5, "shutdown_timeout_millis": 2_000},
            otlp={"endpoint": receiver.endpoint},
            delivery=delivery,
        )
        self.provider = LoggerProvider(
            settings=settings, exporters=["otlp", self.memory], batch_processors=processors
        )

    def log(self, *bodies: Any, **attributes: Any) -> None:
        """Log and flush."""
        for body in bodies:
            self.provider.get_logger("shop").emit(body=body, attributes=attributes)
        assert self.provider.force_flush(PATIENCE_MILLIS)

    @property
    def records(self) -> list[tuple[Any, dict[str, Any]]]:
        """Body and attributes of what arrived, the same at both exporters."""
        native = [(record.body, record.attributes) for record in self.receiver.log_records]
        python = [
            (record.log_record.body, dict(record.log_record.attributes or {}))
            for record in self.memory.get_finished_logs()
        ]
        assert native == python
        return native

    @property
    def processed(self) -> int:
        """Records that the processors dropped, the same for both exporters."""
        ledger = self.provider.ledger()
        assert ledger.balanced
        (count,) = {side.dropped.get("processed", 0) for side in ledger.exporters.values()}
        return count


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    made: list[World] = []
    with OtlpReceiver() as receiver:

        def make(*processors: Any, **delivery: Any) -> World:
            made.append(World(receiver, *processors, **delivery))
            return made[-1]

        yield make
        for each in made:
            each.provider.shutdown()
            assert each.provider.ledger().balanced


async def unchanged(batch: LogBatch) -> None: ...


async def nothing(batch: LogBatch) -> list[ReadableLogRecord]:
    return []


async def without_noise(batch: LogBatch) -> list[ReadableLogRecord]:
    return [record for record in batch if record.log_record.body != "noise"]


class AddTeam:
    """An object with `process`."""

    async def process(self, batch: LogBatch) -> LogBatch:
        for record in batch:
            record.log_record.attributes["team"] = "checkout"
        return batch


def test_a_block_that_nobody_changes_arrives_as_it_is(world):
    there = world(unchanged)
    there.log("one", "two", a=1)
    assert there.records == [("one", {"a": 1}), ("two", {"a": 1})]
    assert there.processed == 0


def test_what_is_left_out_is_dropped_as_processed_for_every_exporter(world):
    there = world(without_noise)
    there.log("one", "noise", "two")
    assert there.records == [("one", {}), ("two", {})]
    assert there.processed == 1


def test_an_empty_result_drops_everything(world):
    there = world(nothing, AddTeam())
    there.log("one", "two")
    assert (there.records, there.processed) == ([], 2)


def test_changes_are_kept_and_seen_by_the_next_one(world):
    seen: list[Any] = []

    async def look(batch: LogBatch) -> None:
        seen.extend(record.log_record.attributes["team"] for record in batch)

    there = world(AddTeam(), look)
    there.log("one")
    assert (there.records, seen) == ([("one", {"team": "checkout"})], ["checkout"])


def test_none_means_unchanged_whatever_was_done_to_the_records(world):
    async def change_and_forget(batch: LogBatch) -> None:
        for record in batch:
            record.log_record.body = "changed"

    there = world(change_and_forget, without_noise)
    there.log("one")
    assert there.records == [("one", {})]


def test_what_a_processor_adds_is_redacted_and_limited_like_anything_else(world):
    async def add(batch: LogBatch) -> LogBatch:
        for record in batch:
            record.log_record.attributes.update(password="hunter2", url="http://u:secret@host/")
            record.log_record.attributes.update({f"k{number}": number for number in range(200)})
        return batch

    there = world(add)
    there.log("one")
    ((_, attributes),) = there.records
    assert "hunter2" not in str(attributes)
    assert "u:secret" not in str(attributes)
    assert len(attributes) == 128


def test_records_made_by_hand_may_replace_others(world):
    async def replace(batch: LogBatch) -> list[ReadableLogRecord]:
        first = batch[0]
        made = LogRecord(observed_timestamp=1, body=f"summary of {len(batch)}")
        return [ReadableLogRecord(made, first.resource, first.instrumentation_scope)]

    there = world(replace)
    there.log("one", "two", "three")
    assert next(body for body, _ in there.records).startswith("summary of ")
    assert there.processed + len(there.records) == 3


@pytest.mark.parametrize("result", ["text", 42, [1, 2], {"a": 1}])
def test_nonsense_leaves_the_block_as_it_was(world, result, capsys):
    async def nonsense(batch: LogBatch) -> Any:
        return result

    nonsense.__name__ = f"nonsense-{result}"
    there = world(nonsense)
    there.log("one", "two")
    assert [body for body, _ in there.records] == ["one", "two"]
    assert f"batch processor nonsense-{result}" in capsys.readouterr().err
    assert there.provider.timings.snapshot()["batch_processor", f"nonsense-{result}"].failures >= 1


def test_more_records_than_came_leave_the_block_as_it_was(world):
    async def double(batch: LogBatch) -> list[ReadableLogRecord]:
        return [*batch, *batch]

    there = world(double)
    there.log("one")
    assert there.records == [("one", {})]


def test_a_processor_that_raises_is_passed_by_and_the_next_one_works(world):
    async def broken(batch: LogBatch) -> None:
        raise ValueError("a bug")

    there = world(broken, AddTeam())
    there.log("one")
    assert there.records == [("one", {"team": "checkout"})]


def test_what_a_processor_changed_before_it_failed_does_not_stay(world):
    async def half_done(batch: LogBatch) -> None:
        batch[0].log_record.body = "half done"
        raise ValueError("a bug")

    there = world(half_done, AddTeam())
    there.log("one")
    assert there.records == [("one", {"team": "checkout"})]


def test_a_slow_processor_is_passed_by_in_time_and_left_alone_for_a_while(world):
    calls: list[int] = []

    async def slow(batch: LogBatch) -> None:
        calls.append(len(batch))
        await asyncio.sleep(3_600)

    there = world(slow, AddTeam(), processor_timeout_millis=20, breaker_failures=2)
    for body in ("one", "two", "three", "four"):
        there.log(body)
    assert [body for body, _ in there.records] == ["one", "two", "three", "four"]
    assert len(calls) == 2


def test_what_is_no_processor_is_refused(world):
    with pytest.raises(ConfigurationError, match="this is no batch processor") as caught:
        world(42)
    assert caught.value.settings[0].name == "batch_processors"
    with pytest.raises(ConfigurationError):
        world(AddTeam)


def test_a_block_is_processed_once_for_all_exporters(world):
    calls: list[int] = []

    async def count(batch: LogBatch) -> None:
        calls.append(len(batch))

    there = world(count)
    there.log("one", "two")
    assert sum(calls) == 2


def test_a_shutdown_while_a_processor_hangs_keeps_its_time_and_counts(world):
    async def hang(batch: LogBatch) -> None:
        await asyncio.sleep(3_600)

    there = world(hang, processor_timeout_millis=3_600_000)
    there.provider.get_logger("shop").emit(body="one")
    assert there.provider.shutdown(300) is False
    ledger = there.provider.ledger()
    assert ledger.balanced
    assert [side.dropped["shutdown"] for side in ledger.exporters.values()] == [1, 1]


def test_a_processor_that_does_not_end_is_not_called_a_second_time(world):
    running, most = 0, 0

    async def deaf(batch: LogBatch) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        while not over.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        running -= 1

    over = threading.Event()
    there = world(deaf, processor_timeout_millis=50, breaker_failures=100)
    there.log("one")
    there.log("two")
    assert most == 1
    over.set()
    assert there.records == [("one", {}), ("two", {})]


def test_records_are_counted_not_believed(world):
    class Lying(list[ReadableLogRecord]):
        def __len__(self) -> int:
            return 1

    async def changes(batch: LogBatch) -> list[ReadableLogRecord]:
        for record in batch:
            record.log_record.body = "changed"
        return list(batch)

    async def lies(batch: LogBatch) -> list[ReadableLogRecord]:
        return Lying([*batch, *batch])

    there = world(changes, lies)
    there.log("one")
    assert there.records == [("changed", {})]
