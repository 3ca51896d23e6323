"""Ways to lose records, one for each reason of the ledger, that take milliseconds and expect no timing."""

import asyncio
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.resources import Resource

from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.testing.gaps import find_gaps
from tests.integration.beside import wait_until
from tests.integration.harness import ONE_RECORD_PER_BLOCK

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
    """Providers with one exporter that is looked at, and what it got.

    Args:
        folder: For a spool.
        made: Called with each provider before it logs.
    """

    def __init__(self, folder: Path, made: Callable[[LoggerProvider], object] = lambda _: None) -> None:
        self.folder = folder
        self._tell = made
        self.made: list[LoggerProvider] = []
        self.out: Any = None

    def end(self) -> None:
        """Shut all down; every ledger adds up."""
        for provider in self.made:
            provider.shutdown(0)
            assert provider.ledger().balanced, str(provider.ledger())

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
        self._tell(provider)
        return provider

    def log(self, provider: LoggerProvider, *bodies: str, severity: int = 17) -> None:
        """Log without waiting for anything."""
        for body in bodies:
            provider.get_logger("shop").emit(severity_number=SeverityNumber(severity), body=body)


def expired(world: World) -> None:
    retry = {"initial_backoff_millis": 1, "max_backoff_millis": 5, "max_elapsed_millis": 150}
    provider = world.provider(Lines(old="away"), delivery={"retry": retry})
    for body in ("first", "old", "last"):
        world.log(provider, body)
        assert provider.force_flush(PATIENCE_MILLIS)


def shutdown(world: World) -> None:
    provider = world.provider(Lines(stuck="hang"))
    world.log(provider, "first", "stuck", "last")
    wait_until(lambda: provider.ledger().exporters["lines"].delivered == 2)
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
    assert missing(lines, side.accepted) == 0, "what one of them misses, the other one has"


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


def missing(lines: list[bytes], numbers: int) -> int:
    """How many of a process's first `numbers` sequence numbers are missing, at the ends too."""
    processes = find_gaps(lines)
    if not processes:
        return numbers
    (process,) = processes
    assert process.duplicates == ()
    return process.first + process.missing + numbers - 1 - process.last
