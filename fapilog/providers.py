"""`Telemetry`, what `configure_otel()` returns: flush, shutdown, ledger and health of all three signals.

Threads: those that flush or end; nothing per record happens here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from opentelemetry import metrics, trace

from fapilog.bounded_calls import BoundedCalls
from fapilog.diagnostics import OnError, say
from fapilog.ledger import WANTED_REFUSALS, Ledger
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.rules import Rules
from fapilog.plugin_health import PluginHealth, plugin_health
from fapilog.redaction.inventory import Inventory
from fapilog.settings import Settings
from fapilog.severity import Severity


@dataclass(frozen=True)
class Health:
    """How the log pipeline is doing.

    Attributes:
        status: `ok`; `pressure` while the buffer sheds; `losing` once records were dropped; `shut_down`.
        buffer_bytes: Memory in use by queued records.
        buffer_limit_bytes: Its bound.
        shedding_below: Severity below which records are shed now; 0: none.
        pending: Records not decided yet, of the exporter that has most.
        lost: Records dropped so far, or refused for want of room or by a fault.
        violations: Broken demands of compliance profiles on fields so far; `ledger().violations` has them one
            by one.
        plugins: How each exporter in Python, processor and enricher does, and which plugins were left out.
    """

    status: str
    buffer_bytes: int
    buffer_limit_bytes: int
    shedding_below: int
    pending: int
    lost: int
    violations: int = 0
    plugins: tuple[PluginHealth, ...] = ()


class Telemetry:
    """What `configure_otel()` returns: the three providers, flush, shutdown, ledger and health.

    A context manager, sync and async: leaving it shuts down.

    Attributes:
        is_open: False once `shutdown()` was called.
    """

    def __init__(  # noqa: PLR0913 - what `configure_otel` collected, one name each
        self,
        *,
        logger_provider: LoggerProvider,
        tracer_provider: trace.TracerProvider,
        meter_provider: metrics.MeterProvider,
        undo: Sequence[Callable[[], object]],
        let_go: Callable[[Telemetry], bool],
        on_error: OnError | None,
        ours: Sequence[Any] = (),
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        self.logger_provider = logger_provider
        self.tracer_provider = tracer_provider
        self.meter_provider = meter_provider
        self.on_error = on_error
        self.is_open = True
        self._undo = list(undo)
        self._let_go = let_go
        self._ours = tuple(ours)
        self._at_end = at_end
        self._flushing: BoundedCalls | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.logger_provider.settings

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Wait until logs, spans and metrics recorded before this call have left.

        Args:
            timeout_millis: Longest wait for all three. Default: 30 000 (`buffer.export_timeout_millis`,
                OTEL_BLRP_EXPORT_TIMEOUT).

        Returns:
            True when no log record is pending and the stock providers said yes. What was refused for good or
            dropped is not pending; `ledger()` tells.
        """
        limit = self.settings.buffer.export_timeout_millis if timeout_millis is None else timeout_millis
        deadline = time.monotonic() + limit / 1_000
        flushed = self.logger_provider.force_flush(limit)
        return self._flush_others(limit, deadline) and flushed

    def _flush_others(self, limit: int, deadline: float) -> bool:
        """Flush spans and metrics; their providers may take longer than told, so not twice at once."""
        earlier = self._flushing
        if earlier is not None and earlier.running:
            earlier.wait(deadline)
            if earlier.running:
                return False
        providers = (self.tracer_provider, self.meter_provider) if self.is_open else ()
        calls = [partial(_call, provider, "force_flush", limit) for provider in providers]
        self._flushing = BoundedCalls(calls)
        return self._flushing.wait(deadline)

    def shutdown(self, timeout_millis: int | None = None) -> bool:
        """Deliver what is there, end the threads, and put back what was installed. Safe to call twice.

        Args:
            timeout_millis: Longest wait. Default: 5 000 (`buffer.shutdown_timeout_millis`).

        Returns:
            True when every log record was decided in time; what was left is counted as dropped (`shutdown`).
        """
        if not self._let_go(self):
            return True
        limit = self.settings.buffer.shutdown_timeout_millis if timeout_millis is None else timeout_millis
        deadline = time.monotonic() + limit / 1_000
        others = BoundedCalls(provider.shutdown for provider in self._ours)
        drained = self.logger_provider.shutdown(limit)
        if others.wait(deadline):
            self._at_end()
        else:
            # They are still at it, and may complain.
            say("stock-exporter", f"spans or metrics were not delivered within {limit} ms", "shutdown")
        return drained

    def take_back(self) -> None:
        """Put back what was installed; `shutdown()` does it first, once."""
        take_back(self._undo)

    def ledger(self) -> Ledger:
        """Return what became of every log record so far; both its equations hold at any moment."""
        return self.logger_provider.ledger()

    def inventory(self) -> Inventory:
        """Return which keys held values of which types, and how often; never a value.

        Counted is what stage 3 hid by type or by a rule, at the place where it stood (`body`, or the path of
        the key), in at most 1,000 places. With the setting `inventory` (FAPILOG_INVENTORY), in each mode,
        also up to 1,000 names of attributes: those under which nothing was found (type ""), secret names and
        `SecretStr` (`SECRET_KEY`), and URLs that held credentials (`URL_USERINFO`). Names are counted when
        records leave: call `force_flush()` before. A name in which something is found is its marker. What is
        hidden in spans, metrics and baggage, or by the policy of a destination alone, is not counted. The
        metric `fapilog.redaction.findings` has the counts by type.
        """
        return self.logger_provider.inventory()

    def health(self) -> Health:
        """Return how the log pipeline is doing; cheap enough for a health endpoint."""
        ledger = self.ledger()
        used, floor = self.logger_provider.pipeline.pressure()
        dropped = (side.lost for side in ledger.exporters.values())
        refused = (count for reason, count in ledger.refused.items() if reason not in WANTED_REFUSALS)
        lost = sum(refused) + max(dropped, default=0)
        status = "losing" if lost else "pressure" if floor else "ok"
        return Health(
            status=status if self.is_open else "shut_down",
            buffer_bytes=used,
            buffer_limit_bytes=self.settings.buffer.limit_bytes,
            shedding_below=floor,
            pending=max((side.pending for side in ledger.exporters.values()), default=0),
            lost=lost,
            violations=sum(ledger.violations.values()),
            plugins=plugin_health(self.logger_provider.timings, self.settings),
        )

    def set_level(
        self,
        level: Severity | str,
        levels: Mapping[str, Severity | str] | None = None,
        *,
        for_seconds: float | None = None,
    ) -> None:
        """Change the levels while the process runs; see `LoggerProvider.set_level`."""
        self.logger_provider.set_level(level, levels, for_seconds=for_seconds)

    def set_rules(self, rules: Rules, *, for_seconds: float | None = None) -> None:
        """Change the rules by scope while the process runs; see `LoggerProvider.set_rules`."""
        self.logger_provider.set_rules(rules, for_seconds=for_seconds)

    def export_recorded(self, trace_id: int | None = None) -> int:
        """Export what the flight recorder kept of a trace; see `LoggerProvider.export_recorded`."""
        return self.logger_provider.export_recorded(trace_id)

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Telemetry:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()


def take_back(steps: Iterable[Callable[[], object]]) -> None:
    """Call the steps that put back what was installed, last first."""
    for step in reversed(tuple(steps)):
        step()


def _call(provider: object, method: str, *arguments: Any) -> bool:
    """Call a method of a provider that may not have it (API stand-ins) and may answer None for yes."""
    function = getattr(provider, method, None)
    if function is None:
        return True
    try:
        return function(*arguments) is not False
    except Exception as error:
        say("stock-exporter", f"{type(provider).__name__}.{method} failed: {error}", method)
        return False
