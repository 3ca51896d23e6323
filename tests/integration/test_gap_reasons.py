"""For every reason a record can be lost for: the gap at the receiver is as large as the ledger's count."""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.resources import Resource

from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.testing import Answer, Ok, OtlpReceiver, Status
from fapilog.testing.gaps import find_gaps
from tests.integration.harness import ONE_RECORD_PER_BLOCK, sequence, wait_until

PATIENCE_MILLIS = 30_000
PADDING = "x" * 700


class Lines:
    """Takes OTLP/JSON lines while its door is open; until then it refuses as `moods` says, by the body."""

    name = "lines"
    max_in_flight = 2

    def __init__(self, **moods: str) -> None:
        self.moods = moods
        self.door = threading.Event()
        self.lines: list[bytes] = []
        self.bodies: list[Any] = []

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        mood = self.moods.get(str(batch[0].log_record.body), self.moods.get("otherwise"))
        while mood == "hang" and not self.door.is_set():
            await asyncio.sleep(0.005)
        if mood == "away" and not self.door.is_set():
            raise ConnectionRefusedError("nobody there")
        if mood == "refuse":
            return ExportOutcome(rejected=len(batch), cause="not this one")
        self.lines += batch.encode("otlp_json").splitlines()
        self.bodies += [record.log_record.body for record in batch]
        return ExportOutcome(delivered=len(batch))


class World:
    """Providers with one exporter that is looked at, and what it got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[LoggerProvider] = []
        self.out: Any = None
        self.name = "lines"

    def provider(self, out: Any, *others: Any, instance: str = "", **settings: Any) -> LoggerProvider:
        """Make one whose blocks have one record each."""
        processors = settings.pop("batch_processors", None)
        self.out = out
        settings["buffer"] = ONE_RECORD_PER_BLOCK | {"schedule_delay_millis": 5} | settings.get("buffer", {})
        retry = {"initial_backoff_millis": 1, "max_backoff_millis": 5}
        delivery = {"retry": retry, "breaker_pause_millis": 5} | settings.pop("delivery", {})
        loaded = Settings.load(environ={}, level="trace", delivery=delivery, **settings)
        resource = Resource({"service.name": "shop", "service.instance.id": instance or "one"})
        provider = LoggerProvider(
            resource, settings=loaded, exporters=[out, *others], batch_processors=processors
        )
        self.made.append(provider)
        return provider

    def log(self, provider: LoggerProvider, *bodies: str, severity: int = 17) -> None:
        """Log without waiting for anything."""
        for body in bodies:
            provider.get_logger("shop").emit(severity_number=SeverityNumber(severity), body=body)


def expired(world: World) -> None:
    retry = {"initial_backoff_millis": 1, "max_backoff_millis": 5, "max_elapsed_millis": 20}
    provider = world.provider(Lines(old="away"), delivery={"retry": retry})
    for body in ("first", "old", "last"):
        world.log(provider, body)
        assert provider.force_flush(PATIENCE_MILLIS)


def shutdown(world: World) -> None:
    out = Lines(stuck="hang")
    provider = world.provider(out)
    world.log(provider, "first", "stuck", "last")
    wait_until(lambda: "last" in out.bodies and "first" in out.bodies)
    assert not provider.shutdown(50)


def damaged(world: World) -> None:
    out = Lines(otherwise="away")
    buffer = {"limit_bytes": 65_536, "overflow": "wait", "wait_timeout_millis": PATIENCE_MILLIS}
    spool = {"directory": world.folder / "spool", "min_free_bytes": 0}
    provider = world.provider(out, buffer=buffer, spool=spool)
    # Bodies that do not compress: the spool takes what exceeds a quarter of the buffer.
    world.log(provider, *(secrets.token_hex(400) for _ in range(100)))
    wait_until(lambda: provider.ledger().exporters["lines"].spooled > 20)
    (segment, *_) = sorted((world.folder / "spool").rglob("seg-*"))
    content = bytearray(segment.read_bytes())
    # A byte of the body of a block in the middle.
    content[content.index(b"FSPB", len(content) // 2) + 64 + 5] ^= 0xFF
    segment.write_bytes(content)
    out.door.set()
    assert provider.force_flush(PATIENCE_MILLIS)


def best_effort(world: World) -> None:
    out, taking = Lines(otherwise="hang"), Lines()
    taking.name = "taking"
    buffer = {"limit_bytes": 65_536, "overflow": "wait", "wait_timeout_millis": PATIENCE_MILLIS}
    provider = world.provider(out, taking, buffer=buffer, delivery={"best_effort": ["lines"]})
    world.log(provider, *map(str, range(100)))
    wait_until(lambda: len(taking.bodies) == 100)
    wait_until(lambda: provider.ledger().exporters["lines"].dropped["best_effort"])
    out.door.set()
    wait_until(lambda: not provider.ledger().exporters["lines"].pending)


def diverted(world: World) -> None:
    out, other = Lines(otherwise="away"), Lines()
    other.name = "other"
    delivery = {"fallback": {"lines": "other"}, "fallback_after_millis": 5, "breaker_pause_millis": 5}
    provider = world.provider(out, other, delivery=delivery)

    def some_went_to_the_other() -> int:
        world.log(provider, "more")
        return provider.ledger().exporters["lines"].dropped["diverted"]

    wait_until(some_went_to_the_other)
    out.door.set()
    assert provider.force_flush(PATIENCE_MILLIS)
    side = provider.ledger().exporters["lines"]
    lines = [*out.lines, *other.lines]
    assert gaps(lines, side.accepted) == 0, "what one of them misses, the other one has"


def full(world: World, policy: str, **buffer: Any) -> LoggerProvider:
    out = Lines(otherwise="hang")
    out.max_in_flight = 1
    provider = world.provider(out, buffer={"overflow": policy, "max_queue_records": 4} | buffer)
    world.log(provider, "first")
    assert not provider.force_flush(1)
    return provider


def drain(world: World, provider: LoggerProvider) -> None:
    world.out.door.set()
    assert provider.force_flush(PATIENCE_MILLIS)
    world.log(provider, "last")
    assert provider.force_flush(PATIENCE_MILLIS)


def overflow_newest(world: World) -> None:
    provider = full(world, "drop_newest")
    # Without a severity they are neither shed nor protected.
    world.log(provider, *map(str, range(20)), severity=0)
    drain(world, provider)


def overflow_oldest(world: World) -> None:
    provider = full(world, "drop_oldest")
    world.log(provider, *map(str, range(20)))
    drain(world, provider)


def shed(world: World) -> None:
    provider = full(world, "drop_newest")

    def some_are_shed() -> int:
        world.log(provider, "more", severity=9)
        return provider.ledger().refused["shed"]

    wait_until(some_are_shed)
    drain(world, provider)


def wait_timeout(world: World) -> None:
    provider = full(world, "wait", wait_timeout_millis=5)
    world.log(provider, *map(str, range(8)))
    drain(world, provider)


def not_awaited(world: World) -> None:
    provider = full(world, "wait", wait_timeout_millis=PATIENCE_MILLIS)

    async def forget() -> None:
        world.log(provider, *([PADDING] * 10))

    asyncio.run(forget())
    drain(world, provider)


def processed(world: World) -> None:
    async def without_secrets(batch: LogBatch) -> list[object]:
        return [record for record in batch if record.log_record.body != "secret"]

    provider = world.provider(Lines(), batch_processors=[without_secrets])
    world.log(provider, "first", "secret", "secret", "last")
    assert provider.force_flush(PATIENCE_MILLIS)


def rejected(world: World) -> None:
    provider = world.provider(Lines(bad="refuse"))
    world.log(provider, "first", "bad", "last")
    assert provider.force_flush(PATIENCE_MILLIS)


LOSSES = [
    expired,
    shutdown,
    damaged,
    best_effort,
    diverted,
    overflow_newest,
    overflow_oldest,
    shed,
    wait_timeout,
    not_awaited,
    processed,
    rejected,
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    for provider in found.made:
        provider.shutdown(0)
        assert provider.ledger().balanced, str(provider.ledger())


def gaps(lines: list[bytes], numbers: int) -> int:
    """How many of a process's first `numbers` numbers are missing, at the ends too."""
    (process,) = find_gaps(lines)
    assert process.duplicates == ()
    return process.first + process.missing + numbers - 1 - process.last


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: str(lose.__name__))
def test_what_is_missing_at_the_receiver_is_what_the_ledger_counts(
    world: World, lose: Callable[[World], None]
) -> None:
    lose(world)
    provider = world.made[0]
    # The record that tells of a loss may still be under way.
    provider.shutdown(0 if lose is shutdown else PATIENCE_MILLIS)
    ledger = provider.ledger()
    side = ledger.exporters["lines"]
    lost = {"rejected": side.rejected, "shed": ledger.refused["shed"], **side.dropped}
    # Others may be among them: when the sealer takes a chunk decides whether a record is shed or finds no
    # room.
    assert lost[lose.__name__]
    assert gaps(world.out.lines, side.accepted + ledger.refused["shed"]) == sum(lost.values())


def test_a_record_that_is_too_large_for_the_receiver_leaves_a_gap() -> None:
    answers: dict[str, Answer] = {"first": Ok(), "large": Status(413), "last": Ok()}
    with OtlpReceiver() as receiver:
        settings = Settings.load(environ={}, otlp={"endpoint": receiver.endpoint})
        with LoggerProvider(Resource.get_empty(), settings=settings, exporters=["otlp"]) as provider:
            for body, answer in answers.items():
                receiver.answer_always_with(answer)
                provider.get_logger("shop").emit(body=body)
                assert provider.force_flush(PATIENCE_MILLIS)
        side = provider.ledger().exporters["otlp"]
        numbers = [sequence(record) for record in receiver.log_records]
    assert (side.delivered, side.rejected, numbers) == (2, 1, [0, 2])


def test_what_is_adopted_keeps_its_numbers_beside_those_of_who_adopts(world: World) -> None:
    spool = {"directory": world.folder / "spool", "min_free_bytes": 0}
    left = world.provider(Lines(otherwise="away"), instance="ended", spool=spool)
    world.log(left, *"abcde")
    assert not left.shutdown(1)
    out = Lines()
    heir = world.provider(out, instance="heir", spool=spool)
    world.log(heir, "x", "y")
    wait_until(lambda: len(out.bodies) == 7)
    wait_until(lambda: not heir.ledger().exporters["lines"].pending)
    found = {
        process.instance: (process.first, process.last, process.complete) for process in find_gaps(out.lines)
    }
    assert found == {"ended": (0, 4, True), "heir": (0, 1, True)}
    assert heir.ledger().exporters["lines"].adopted == 5
