"""How each plugin does in this process: what `Telemetry.health()` says of it. Threads: who asks."""

from __future__ import annotations

from dataclasses import dataclass

from fapilog.plugins import left_out
from fapilog.settings import Settings
from fapilog.timings import Spent, Timings

# Fewer calls say nothing about a share.
_ENOUGH_CALLS = 16


@dataclass(frozen=True)
class PluginHealth:
    """How one exporter, processor or enricher does, whether a package brings it or the application.

    Attributes:
        kind: `exporter`, `batch_processor`, `log_record_processor`, `enricher`; of one that was left out, its
            entry-point group.
        name: Its name.
        status: `ok`; `failing`: the last call failed; `slow`: one of ten calls took longer than
            `plugins.call_budget_micros`; `broken`: it could not be loaded, and was left out.
        calls: Calls so far.
        failures: Calls that failed.
        over_budget: Calls within a log call that took longer than the budget; an estimate of every 16th.
        mean_micros: Mean time of a call, in microseconds.
        problem: Why it is broken; else empty.
    """

    kind: str
    name: str
    status: str
    calls: int = 0
    failures: int = 0
    over_budget: int = 0
    mean_micros: float = 0.0
    problem: str = ""


def plugin_health(timings: Timings, settings: Settings) -> tuple[PluginHealth, ...]:
    """Return how each plugin of a provider does, and which its settings name that were left out.

    Args:
        timings: Of the provider.
        settings: Of the provider.
    """
    named = {*settings.enrichers, *settings.processors, *settings.batch_processors}
    called = [_called(kind, name, spent) for (kind, name), spent in timings.snapshot().items()]
    broken = [
        PluginHealth(plugin.group, plugin.name, "broken", problem=plugin.problem)
        for plugin in left_out()
        if plugin.name in named
    ]
    return tuple(sorted(called + broken, key=lambda each: (each.kind, each.name)))


def _called(kind: str, name: str, spent: Spent) -> PluginHealth:
    slow = spent.calls >= _ENOUGH_CALLS and spent.over_budget * 10 >= spent.calls
    return PluginHealth(
        kind,
        name,
        "failing" if spent.failing else "slow" if slow else "ok",
        spent.calls,
        spent.failures,
        spent.over_budget,
        spent.seconds / spent.calls * 1e6 if spent.calls else 0.0,
    )
