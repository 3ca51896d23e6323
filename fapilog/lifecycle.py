"""How a process ends and forks: atexit, SIGTERM, multiprocessing. Threads: main.

Every end comes down to one bounded flush of every provider. Native code does the rest: after a fork the
child's pipelines start empty, and records logged while the interpreter is torn down leave by a C `atexit`
handler.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from fapilog import _native
from fapilog.bounded_calls import BoundedCalls
from fapilog.diagnostics import say
from fapilog.ledger import Ledger


class Flushable(Protocol):
    """What the end of a process needs of a log provider."""

    def finish(self) -> bool:
        """Flush within the configured shutdown timeout; True when nothing is pending."""

    def ledger(self) -> Ledger:
        """What became of every record."""


class Stoppable(Protocol):
    """A stock provider: for traces, for metrics."""

    def shutdown(self) -> object:
        """Export what is there and end."""


_providers: weakref.WeakSet[Flushable] = weakref.WeakSet()
# Strongly: the application may let go of what it asked a report of.
_reported: list[Flushable] = []
# How many records a provider had accepted when its last flush was not in time.
_waited_for: weakref.WeakKeyDictionary[Flushable, int] = weakref.WeakKeyDictionary()
# With the seconds that each gets at the end of the process.
_stock: list[tuple[Stoppable, float]] = []
# What other providers still hold for a pipeline of ours.
_sources: list[Callable[[], object]] = []
# A server was asked to end by SIGTERM, and the process still owes that exit status.
_terminated = False


def register(provider: Flushable) -> None:
    """Flush `provider` when the process ends; held weakly."""
    _providers.add(provider)
    _flush_on_sigterm()
    _be_found_by_uvicorn()
    _flush_at_multiprocessing_exit()


def live() -> list[Flushable]:
    """Return the providers of this process that are still in use somewhere."""
    return list(_providers)


def report_at_exit(provider: Flushable) -> None:
    """Print the provider's ledger to stderr when the process ends."""
    _reported.append(provider)


def shut_down_at_exit(provider: Stoppable, timeout_millis: int) -> None:
    """Shut a stock provider down when the process ends, while log records are flushed for the last time."""
    _stock.append((provider, timeout_millis / 1_000))


def forget(provider: Stoppable) -> None:
    """The stock provider was shut down already."""
    _stock[:] = [entry for entry in _stock if entry[0] is not provider]


def ask_at_exit(source: Callable[[], object]) -> None:
    """Call `source` when the process ends, before pipelines are flushed: it hands over what it holds."""
    if source not in _sources:
        _sources.append(source)


def _ask_sources() -> None:
    for source in list(_sources):
        try:
            source()
        except Exception as error:
            say("stock-exporter", f"what is left was not handed over: {error}", "exit")


def finish_all() -> bool:
    """Flush every provider within its timeout. True when nothing is pending anywhere."""
    finished = [_finish(provider) for provider in list(_providers)]
    return all(finished)


def _finish(provider: Flushable) -> bool:
    """Flush, but do not wait again for what was waited for in vain: some processes have several exits."""
    accepted = provider.ledger().accepted
    if _waited_for.get(provider) == accepted:
        return False
    finished = provider.finish()
    if not finished:
        _waited_for[provider] = accepted
    return finished


def _at_exit() -> None:
    ending, _stock[:] = list(_stock), []
    deadline = time.monotonic() + max((seconds for _, seconds in ending), default=0.0)
    calls = BoundedCalls(provider.shutdown for provider, _ in ending)
    if not finish_all():
        _native.give_up_at_exit()
    if not calls.wait(deadline):
        say("stock-exporter", "spans or metrics were not delivered before the process ended")
    # Once, however many exit handlers a process of multiprocessing has.
    reported, _reported[:] = list(_reported), []
    for provider in reported:
        # In one write: workers share the stream.
        print(f"fapilog: {provider.ledger()}\n", end="", file=sys.stderr)


def _at_child_exit() -> None:
    _ask_sources()
    _at_exit()


def _at_normal_exit() -> None:
    _ask_sources()
    _native.begin_exit()
    _at_exit()
    if _terminated:
        _end_by_sigterm()


def _flush_on_sigterm() -> None:
    """Flush on SIGTERM if nobody else handles it: the default action would skip atexit and lose the tail.

    uvicorn re-raises the signal with the handler it found, so this one runs after its graceful shutdown.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGTERM)
    if handler == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)
    elif _is_uvicorn(server := getattr(handler, "__self__", None)):
        signal.signal(signal.SIGTERM, lambda *_: _end_server(server))


def _on_sigterm(_number: int, _frame: FrameType | None) -> None:
    _ask_sources()
    _at_exit()
    _end_by_sigterm()


def _end_by_sigterm() -> None:
    # The C exit handler, which says what was lost, does not run when a signal ends the process.
    lost = sum(_pending(provider) for provider in list(_providers))
    if lost:
        say("records-lost", f"{lost} records were not delivered before the process ended.")
    _native.end_rings()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _pending(provider: Flushable) -> int:
    """What nobody has and neither a spool nor a crash ring keeps."""
    sides = provider.ledger().exporters.values()
    return max((side.pending - side.spooled - side.kept for side in sides), default=0)


def _is_uvicorn(server: object) -> bool:
    modules = {kind.__module__.partition(".")[0] for kind in type(server).__mro__}
    return "uvicorn" in modules and hasattr(server, "should_exit")


def _end_server(server: Any) -> None:
    """Let a uvicorn server end with no signal to raise again: the default action would be in force.

    A worker (`--workers`, `--reload`) loads the application after it took the signal over, so the handler
    that it finds, and puts back before it raises the signal again, is not ours. Our exit handler raises it
    instead.
    """
    global _terminated  # noqa: PLW0603
    _terminated = True
    server.should_exit = True


def _be_found_by_uvicorn() -> None:
    """Put our handler in place right before uvicorn takes SIGTERM over, because it puts back what it finds.

    gunicorn's uvicorn worker sets the default action after the fork, and uvicorn would raise the signal into
    that one: no exit handler runs.
    """
    server = getattr(sys.modules.get("uvicorn.server"), "Server", None)
    capture = getattr(server, "capture_signals", None)
    if server is None or capture is None or hasattr(capture, "flushes"):
        return

    @functools.wraps(capture)
    def capture_signals(self: Any) -> Any:
        _flush_on_sigterm()
        return capture(self)

    capture_signals.flushes = True  # type: ignore[attr-defined]
    server.capture_signals = capture_signals


def _flush_at_multiprocessing_exit() -> None:
    """Multiprocessing children end by `os._exit`, which skips atexit; its own finalizers run before."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, _at_child_exit, exitpriority=100)


class _Anchor:
    """Keeps an entry in multiprocessing's weak after-fork registry."""


_anchor = _Anchor()


def _after_fork_in_child() -> None:
    if _providers:
        _be_found_by_uvicorn()
    # The child's multiprocessing bootstrap clears its finalizers and then runs these hooks.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(_anchor, lambda _: util.Finalize(None, _at_child_exit, exitpriority=100))


atexit.register(_at_normal_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
