"""Stages 5 to 7 of a provider or processor: native pipelines, with delivery to exporters written in Python.

Threads: any. Nothing starts before the first record; an outlet that nobody holds any more delivers what it
has and ends by itself.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource

from fapilog import _native, ledger, pipeline
from fapilog.bounded_calls import bounded
from fapilog.diagnostics import is_delivering, say
from fapilog.enrichers.enrichment import Enrichment
from fapilog.exporters import registry
from fapilog.exporters.auth import AnyAuth
from fapilog.keys import held, tokens
from fapilog.logger import on_notice
from fapilog.otel import given
from fapilog.redaction.inventory import Inventory, of_pipelines
from fapilog.settings import Settings
from fapilog.settings.compliance import exempted
from fapilog.settings.without_effect import without_effect
from fapilog.timings import Timings

if TYPE_CHECKING:
    from fapilog.delivery import Delivery

# Of a shutdown's time, for the exporters' own shutdown; the rest is for delivering what is there.
_ENDING_SHARE = 0.1
# Of a flush's time at the end of a process, for fallbacks.
_HANDING_SHARE = 0.25


class Outlet:
    """Where records go: exporters of all kinds, behind one or several native pipelines.

    Several pipelines differ in the resource of their records; they share the exporters.

    Args:
        settings: Validated settings.
        exporters: Names and objects, mixed.
        batch_processors: Async functions, objects with `async def process(batch)`, or names of plugins of
            the group `fapilog.processors`, run in this order. Default: `settings.batch_processors`.
        timings: Where the calls of exporters, batch processors and enrichers are added up.
        auth: Functions that return request headers, by exporter; a single one is for `otlp`.
        enrichers: Names, mappings and functions, mixed. Default: `settings.enrichers`.

    Raises:
        ConfigurationError: If an exporter or a processor cannot be used.
    """

    def __init__(  # noqa: PLR0913 - what a provider was given, one name each
        self,
        settings: Settings,
        exporters: Iterable[object],
        batch_processors: Iterable[Any] | None = None,
        *,
        timings: Timings | None = None,
        auth: AnyAuth = None,
        enrichers: Iterable[object] | None = None,
    ) -> None:
        self._settings = settings
        for name, said in without_effect(settings):
            say("setting-without-effect", said, name)
        if said := exempted(settings):
            say("profile-exempted", said, said)
        self._timings = timings if timings is not None else Timings()
        self._chosen = registry.choose(given.as_tuple("exporters", exporters), settings, auth)
        self._lock = threading.Lock()
        self._closed = False
        self.enrichment = Enrichment(enrichers, settings, _tell, self._timings)
        processors = given.batch_processors(batch_processors, settings)
        self._gated = bool(processors)
        self._keys = held.held(settings, _tell)
        self._tokens = tokens.hold(settings, _tell)
        self._delivery = self._make_delivery(processors)
        self.pipelines: list[_native.Pipeline] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The exporters' names in the ledger, in order."""
        return self._chosen.names

    @property
    def delivery(self) -> Delivery | None:
        """What delivers to exporters written in Python; None: there are none."""
        return self._delivery

    @property
    def keys(self) -> held.HeldKeys | None:
        """The keys of the spool; None: it is not encrypted."""
        return self._keys

    def watch_keys(self) -> None:
        """Keep keys fresh, in this process."""
        if self._keys is not None:
            self._keys.watch(self.pipelines)
        if self._tokens is not None:
            self._tokens.watch(())

    def open(self, resource: Resource, on_start: Callable[[], object] = lambda: None) -> _native.Pipeline:
        """Make a pipeline whose records carry `resource`. Starts nothing.

        Args:
            resource: As long as nobody changes it.
            on_start: Called with the first record of a process, in a forked child too; must not hold this.

        Raises:
            ConfigurationError: `setting-invalid`, if a certificate, an endpoint or a proxy cannot be used.
        """
        # The pipeline holds this, so this must not hold the pipeline.
        start = partial(_start, weakref.ref(self), len(self.pipelines), on_start)
        console = [registry.CONSOLE] if self._chosen.console else []
        made = pipeline.build(
            self._settings,
            self.enrichment.describe(resource),
            [*self._chosen.native, *console],
            batch_processors=self._gated,
            on_start=start,
            spool_keys=(None, {}) if self._keys is None else self._keys.keys.native(),
        )
        self.enrichment.attach(made)
        self.pipelines.append(made)
        return made

    def force_flush(self, timeout_millis: int) -> bool:
        """Wait until nothing accepted before is pending, then call each exporter's `force_flush`.

        The timeout comes first (OTel logs SDK, ForceFlush). An exporter that asks gets a no.
        """
        if is_delivering():
            return False
        deadline = time.monotonic() + bounded(timeout_millis) / 1_000
        if self._delivery is not None:
            self._delivery.hurry()
        flushed = _all(each.force_flush(_left(deadline)) for each in self.pipelines)
        return flushed and (self._delivery is None or self._delivery.force_flush(deadline))

    def shutdown(self, timeout_millis: int) -> bool:
        """Refuse records, deliver what is there, shut the exporters down, end all threads.

        Returns:
            True when no record was left and every exporter ended in time. A second call does nothing.
        """
        with self._lock:
            if self._closed:
                return True
            self._closed = True
        if self._keys is not None:
            self._keys.close()
        if self._tokens is not None:
            self._tokens.let_go()
        timeout_millis = bounded(timeout_millis)
        deadline = time.monotonic() + timeout_millis / 1_000
        if self._delivery is None:
            return _all(each.shutdown(_left(deadline)) for each in self.pipelines)
        drained_by = deadline - _ENDING_SHARE * timeout_millis / 1_000
        if is_delivering():  # an exporter that shuts its own provider down cannot deliver meanwhile
            drained_by = time.monotonic()
        self._delivery.hurry()
        drained = _all(each.shutdown(_left(drained_by)) for each in self.pipelines)
        return self._delivery.shutdown(deadline) and drained

    def finish(self, timeout_millis: int) -> bool:
        """Flush at the end of the process and shut the exporters down; records are still taken.

        With a spool, what ended processes left is delivered in the rest of the time, and what nobody took
        goes to the disk.
        """
        if self._closed:
            return True
        timeout_millis = bounded(timeout_millis)
        deadline = time.monotonic() + timeout_millis / 1_000
        share = 0.0 if self._delivery is None else _ENDING_SHARE
        handing_over = _HANDING_SHARE if self._settings.delivery.fallback else 0.0
        flush_millis = int(timeout_millis * (1.0 - share))
        flushed_by = time.monotonic() + flush_millis / 1_000
        flushed = self.force_flush(int(flush_millis * (1.0 - handing_over)))
        for each in self.pipelines:
            if flushed:
                each.deliver_adopted(_left(flushed_by))
            else:
                each.hand_over_rest(_left(flushed_by))
        ended = self._delivery is None or self._delivery.shutdown(deadline)
        for each in self.pipelines:
            each.spool_rest(_left(deadline))
        return ended and flushed

    def ledger(self) -> ledger.Ledger:
        """Return what became of every record so far."""
        console = self._chosen.console
        return ledger.total(ledger.from_native(each.ledger(), console=console) for each in self.pipelines)

    def stats(self) -> dict[str, Any]:
        """Return what the stages behind the caller did, summed over the pipelines (`_native.Pipeline`)."""
        return reduce(_sum, [each.exporter_stats() for each in self.pipelines], dict[str, Any]())

    def inventory(self) -> Inventory:
        """Return where values of which types were hidden, summed over the pipelines."""
        return of_pipelines(each.inventory() for each in self.pipelines)

    def buffer_bytes(self) -> int:
        """Return the memory of queued records, in bytes."""
        return sum(each.pressure()[0] for each in self.pipelines)

    def _make_delivery(self, batch_processors: Sequence[Any]) -> Delivery | None:
        wanted = (self._chosen.python, batch_processors, self._chosen.auth, self.enrichment.refreshed)
        if not any(wanted):
            return None
        from fapilog.delivery import Delivery  # noqa: PLC0415 - asyncio, for those who need it

        settings = self._settings.delivery
        if settings.timeout_millis is None:
            timeout = self._settings.buffer.export_timeout_millis
            settings = settings.model_copy(update={"timeout_millis": timeout})
        made = Delivery(
            self._chosen.python,
            batch_processors,
            settings,
            tell=_tell,
            timings=self._timings,
            auth=self._chosen.native_auth(),
            enrichment=self.enrichment,
        )
        limit = self._settings.buffer.shutdown_timeout_millis
        weakref.finalize(self, made.let_go, limit).atexit = False
        return made


def _start(outlet: weakref.ref[Outlet], index: int, on_start: Callable[[], object]) -> None:
    """The first record of a process comes through a pipeline of the outlet."""
    on_start()
    living = outlet()
    if living is None:
        return
    living.watch_keys()
    if living.delivery is not None:
        living.delivery.serve(living.pipelines[index])


def _tell(code: str, message: str, about: str) -> None:
    """Stderr once a minute, and the application's `on_error`."""
    say(code, message, about)
    on_notice(code, message)


def _sum(one: Any, other: Any) -> Any:
    """Two nested dicts of numbers and lists as one; a key that only one has is kept."""
    if isinstance(one, dict) and isinstance(other, dict):
        both = {key: _sum(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **both}
    return one + other


def _all(results: Iterable[bool]) -> bool:
    """True when all are; unlike `all` it asks each."""
    return False not in list(results)


def _left(deadline: float) -> int:
    return max(0, math.ceil((deadline - time.monotonic()) * 1_000))
