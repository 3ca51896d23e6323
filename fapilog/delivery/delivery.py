"""Stage 6 of 7, export: everything Python delivers for one provider: its loop, runners and batch processors.

Threads: any thread flushes and shuts down; the work is done on the delivery loop. Nothing starts before the
first record. A forked child starts its own loop with its first record and never touches the inherited one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fapilog import _native
from fapilog.delivery.headers import HeaderKeeper
from fapilog.delivery.loop import LoopThread
from fapilog.delivery.processing import Processing
from fapilog.delivery.refreshing import Refreshing
from fapilog.delivery.runner import Runner
from fapilog.diagnostics import Tell, say, shown_error
from fapilog.enrichers.enrichment import Enrichment
from fapilog.exporters.auth import Auth
from fapilog.exporters.base import Exporter
from fapilog.settings import DeliverySettings
from fapilog.timings import Timings

# For a deadline that has passed: what it takes to find out that there is nothing to do.
_GRACE_SECONDS = 0.25
_LOOK_AGAIN_SECONDS = 0.02
# Of a flush's or a shutdown's time, for the hooks of best-effort exporters.
_SHARE = 0.1


class Delivery:
    """Delivers to exporters written in Python, and runs batch processors.

    Args:
        exporters: By the name of their cursor.
        processors: Batch processors, run in this order before any exporter sees a block.
        settings: Timeouts, limits, retries.
        tell: Told code, message and subject of what people should hear of. Default: stderr, once a minute.
        timings: Where calls are added up, as `exporter` and `batch_processor`. Default: nowhere.
        auth: By the name of a native exporter: where its headers come from, and those that never change.
        enrichment: Its enrichers that are refreshed are asked here. Default: none.

    Raises:
        ConfigurationError: `setting-invalid`, if an object is no batch processor.
    """

    def __init__(  # noqa: PLR0913 - what a provider delivers to, one name each
        self,
        exporters: Mapping[str, Exporter],
        processors: Sequence[Any],
        settings: DeliverySettings,
        *,
        tell: Tell = say,
        timings: Timings | None = None,
        auth: Mapping[str, tuple[Auth, Sequence[tuple[str, str]]]] | None = None,
        enrichment: Enrichment | None = None,
    ) -> None:
        self._exporters = dict(exporters)
        self._auth = dict(auth or {})
        self._processors = tuple(processors)
        self._settings = settings
        self._tell = tell
        self._timings = timings if timings is not None else Timings()
        self._enrichment = enrichment
        self._closed = False
        # Connections that a parent opened are the parent's to end.
        self._used_by_parent = False
        self._begin_process()
        _all.add(self)

    def _begin_process(self) -> None:
        self._lock = threading.RLock()
        self._thread: LoopThread | None = None
        self._wake_fds: dict[_native.Pipeline, int] = {}
        self._runners = [
            Runner(name, exporter, self._settings, tell=self._tell, timings=self._timings)
            for name, exporter in self._exporters.items()
        ]
        self._processing = Processing(self._processors, self._settings, self._tell, self._timings)
        self._keepers = [
            HeaderKeeper(name, auth, fixed, self._settings.retry, self._tell)
            for name, (auth, fixed) in self._auth.items()
        ]
        self._refreshing = Refreshing(self._enrichment, self._timings)

    def after_fork(self) -> None:
        """In the child: leave the parent's loop, tasks and selector alone, for good."""
        if self._thread is not None:
            parts = (self._runners, self._processing, self._keepers, self._refreshing)
            _inherited.append((self._thread, self._wake_fds, *parts))
            self._used_by_parent = True
        self._begin_process()

    def serve(self, pipeline: _native.Pipeline) -> None:
        """Deliver what this pipeline holds from now on; starts the thread. Never raises.

        A pipeline calls it with its first record, in a forked child again.
        """
        with self._lock:
            refreshes = self._enrichment is not None and self._enrichment.refreshed
            if self._closed or not (self._exporters or self._processors or self._auth or refreshes):
                return
            thread = self._started()
        if thread is not None:
            thread.post(self._add, pipeline)

    def hurry(self) -> None:
        """Somebody waits for a flush: end the pauses between attempts, but those a destination asked for."""
        thread = self._thread
        if thread is not None:
            thread.post(self._hurry)

    def force_flush(self, deadline: float) -> bool:
        """Call every exporter's `force_flush`; False if one fails or still runs at `deadline` (monotonic)."""
        thread = self._thread
        if thread is None or self._closed:
            return True
        if thread.is_current:
            return False
        return _result(thread.submit(partial(self._flush, deadline)), deadline) is True

    def shutdown(self, deadline: float) -> bool:
        """Break off what is under way, shut the exporters down, end the thread. The second call does nothing.

        The pipelines are shut down before, so that nothing is left to deliver.

        Returns:
            False when an exporter or the thread had not ended at `deadline` (monotonic seconds).
        """
        with self._lock:
            if self._closed:
                return True
            self._closed = True
            thread = self._thread
            if thread is None and not self._used_by_parent and self._want_shutdown():
                thread = self._started()
            if thread is None:
                return True
        if thread.is_current:  # it cannot wait for itself
            thread.submit(partial(self._end, deadline)).add_done_callback(lambda _: thread.stop())
            return False
        deadline = max(deadline, time.monotonic() + _GRACE_SECONDS)
        ended = _result(thread.submit(partial(self._end, deadline)), deadline + _GRACE_SECONDS) is True
        thread.stop()
        if not thread.join(deadline + 2 * _GRACE_SECONDS - time.monotonic()):
            self._tell(
                "delivery-not-ended", "an exporter blocks the delivery loop; its thread is left behind", ""
            )
            return False
        return ended

    def let_go(self, timeout_millis: int) -> None:
        """Nobody can reach the provider any more: deliver what is left, then end. Returns at once."""
        with self._lock:
            thread = self._thread
            if self._closed or thread is None:
                return
            self._closed = True
        thread.submit(partial(self._retire, timeout_millis)).add_done_callback(lambda _: thread.stop())

    def _want_shutdown(self) -> bool:
        return any(hasattr(exporter, "shutdown") for exporter in self._exporters.values())

    def _started(self) -> LoopThread | None:
        if self._thread is None:
            thread = LoopThread("fapilog-deliver")
            try:
                thread.start()
            except RuntimeError as error:
                self._tell("thread-not-started", f"cannot start the delivery loop: {error}", "")
                return None
            self._thread = thread
        return self._thread

    # What follows runs on the loop.

    def _add(self, pipeline: _native.Pipeline) -> None:
        if pipeline in self._wake_fds:
            return
        fd = self._wake_fds[pipeline] = pipeline.wake_fd()
        asyncio.get_running_loop().add_reader(fd, self._woken, pipeline)
        self._processing.serve(pipeline)
        self._refreshing.serve(pipeline)
        for keeper in self._keepers:
            keeper.serve(pipeline)
        for runner in self._runners:
            runner.serve(pipeline)

    def _woken(self, pipeline: _native.Pipeline) -> None:
        pipeline.clear_wake()
        self._processing.wake()
        for keeper in self._keepers:
            keeper.wake()
        for runner in self._runners:
            runner.wake()

    def _hurry(self) -> None:
        for runner in self._runners:
            runner.hurry()

    async def _flush(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        flushed = await asyncio.gather(
            *(runner.flush(self._patience(runner, left)) for runner in self._runners)
        )
        return all(
            done or not self._matters(runner) for runner, done in zip(self._runners, flushed, strict=True)
        )

    def _matters(self, runner: Runner) -> bool:
        return runner.name not in self._settings.best_effort

    def _patience(self, runner: Runner, seconds: float) -> float:
        """Nobody waits long for a best-effort exporter."""
        return seconds if self._matters(runner) else min(seconds, max(_GRACE_SECONDS, seconds * _SHARE))

    async def _end(self, deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        for fd in self._wake_fds.values():
            loop.remove_reader(fd)
        await asyncio.gather(
            self._processing.stop(),
            self._refreshing.stop(),
            *(keeper.stop() for keeper in self._keepers),
            *(runner.stop() for runner in self._runners),
        )
        left = max(_GRACE_SECONDS, deadline - time.monotonic())
        ended = await asyncio.gather(
            *(runner.shut_down(self._patience(runner, left)) for runner in self._runners)
        )
        self._wake_fds = {}
        return all(
            done or not self._matters(runner) for runner, done in zip(self._runners, ended, strict=True)
        )

    async def _retire(self, timeout_millis: int) -> None:
        """Deliver what is left. No thread waits natively: the interpreter may end meanwhile."""
        deadline = time.monotonic() + timeout_millis / 1_000
        pipelines = list(self._wake_fds)
        for pipeline in pipelines:
            pipeline.close()
        while any(map(self._pending, pipelines)) and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        for pipeline in pipelines:
            pipeline.shutdown(0)
        await self._end(deadline)

    def _pending(self, pipeline: _native.Pipeline) -> bool:
        sides = pipeline.ledger()["exporters"].items()
        return any(side["pending"] for name, side in sides if name not in self._settings.best_effort)


def _result(future: concurrent.futures.Future[Any], deadline: float) -> Any:
    """What the loop answers; None when it does not in time, or cannot any more."""
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except (TimeoutError, concurrent.futures.CancelledError):
        return None
    except Exception as error:
        say("exporter-failed", f"the delivery loop failed: {shown_error(error)}", "loop")
        return None


_all: weakref.WeakSet[Delivery] = weakref.WeakSet()
# A loop that is collected in the child would take descriptors out of the selector that the parent uses too.
_inherited: list[object] = []


def _after_fork() -> None:
    for delivery in list(_all):
        delivery.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
