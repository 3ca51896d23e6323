"""A native pipeline of lists, a loop whose time passes when nothing else does, exporters with a script."""

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from fapilog.batch import LogBatch
from fapilog.exporters.base import ExportOutcome


class _Selector(selectors.DefaultSelector):
    """Does not wait: it moves the loop's clock to where it would have waited until."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen on this loop"
            self.now += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop for tests with pauses and timeouts, in no time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


@dataclass(frozen=True)
class FakeBlock:
    """One sealed block."""

    sequence: int
    records: int
    request: bytes = b""

    def otlp_bytes(self) -> bytes:
        return self.request


@dataclass
class FakePipeline:
    """One cursor as the native side keeps it; settling twice or too much fails the test."""

    blocks: list[FakeBlock] = field(default_factory=list)
    in_flight: dict[int, int] = field(default_factory=dict)
    delivered: int = 0
    rejected: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    released: list[int] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)

    def claim(self, exporter: str) -> FakeBlock | None:
        if not self.blocks:
            return None
        block = self.blocks.pop(0)
        self.in_flight[block.sequence] = block.records
        self.claimed.append(block.sequence)
        return block

    def settle(
        self,
        exporter: str,
        sequence: int,
        *,
        delivered: int = 0,
        rejected: int = 0,
        dropped: Mapping[str, int] | None = None,
    ) -> None:
        decided = delivered + rejected + sum((dropped or {}).values())
        assert 0 < decided <= self.in_flight[sequence], "a record is decided once"
        self.in_flight[sequence] -= decided
        if not self.in_flight[sequence]:
            del self.in_flight[sequence]
        self.delivered += delivered
        self.rejected += rejected
        self.dropped.update(dropped or {})

    def release(self, exporter: str, sequence: int) -> None:
        del self.in_flight[sequence]
        self.released.append(sequence)

    @property
    def decided(self) -> int:
        return self.delivered + self.rejected + sum(self.dropped.values())


def blocks(*records: int) -> list[FakeBlock]:
    """One block per number, with so many records."""
    return [FakeBlock(sequence, count) for sequence, count in enumerate(records)]


Step = ExportOutcome | BaseException | float | Callable[[LogBatch], Any]


class ScriptedExporter:
    """Does what its script says, call after call; then it delivers everything.

    A number is a time in seconds that the call takes; an exception is raised; an outcome is returned.
    """

    def __init__(self, *script: Step, always: Step | None = None, name: str = "scripted") -> None:
        self.name = name
        self.script = list(script)
        self.always = always
        self.batches: list[LogBatch] = []
        self.times: list[float] = []
        self.running = 0
        self.most_running = 0

    async def export_batch(self, batch: LogBatch) -> Any:
        self.batches.append(batch)
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            step = self.script.pop(0) if self.script else self.always
            return await self._do(step, batch)
        finally:
            self.running -= 1

    async def _do(self, step: Step | None, batch: LogBatch) -> Any:
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif callable(step):
            result = step(batch)
            return await result if asyncio.iscoroutine(result) else result
        elif step is not None:
            return step
        return ExportOutcome(delivered=len(batch))


@dataclass
class Told:
    """What people would hear."""

    said: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, code: str, message: str, about: str) -> None:
        self.said.append((code, message, about))

    @property
    def codes(self) -> list[str]:
        return [code for code, _, _ in self.said]
