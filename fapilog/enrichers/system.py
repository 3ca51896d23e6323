"""Built-in enricher `system`: load and memory, refreshed, on every record. Linux; elsewhere the load alone.

Names are those that OpenTelemetry gives the metrics. Metrics are the better home for such numbers; on a
record they tell at a glance whether the machine was in trouble when something went wrong.
"""

from __future__ import annotations

import os
from pathlib import Path

from fapilog.enrichers.base import Source
from fapilog.enrichers.container import read
from fapilog.settings import Settings

_PROC = Path("/proc")
_REFRESH_SECONDS = 15.0


def source(settings: Settings) -> Source:
    """Make the enricher."""
    timeout = settings.enrichment.timeout_millis / 1_000
    return Source("system", ask=attributes, refresh_seconds=_REFRESH_SECONDS, timeout_seconds=timeout)


def attributes(proc: Path = _PROC) -> dict[str, float | int]:
    """Return load averages, the share of memory in use, and the memory of this process in bytes."""
    found: dict[str, float | int] = {}
    if hasattr(os, "getloadavg"):
        for minutes, load in zip((1, 5, 15), os.getloadavg(), strict=True):
            found[f"system.cpu.load_average.{minutes}m"] = round(load, 2)
    utilization = memory_utilization(read(proc / "meminfo"))
    if utilization is not None:
        found["system.memory.utilization"] = utilization
    pages = resident_pages(read(proc / "self" / "statm"))
    if pages is not None:
        found["process.memory.usage"] = pages * os.sysconf("SC_PAGESIZE")
    return found


def memory_utilization(meminfo: str) -> float | None:
    """Return the share of memory in use, 0 to 1, by the content of `/proc/meminfo`."""
    values = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdecimal():
            values[name] = int(number[0])
    total, available = values.get("MemTotal", 0), values.get("MemAvailable")
    if not total or available is None:
        return None
    return round(1.0 - min(available, total) / total, 4)


def resident_pages(statm: str) -> int | None:
    """Return the pages in memory, by the content of `/proc/self/statm`.

    Example:
        >>> resident_pages("100 42 7 1 0 9 0")
        42
    """
    fields = statm.split()
    return int(fields[1]) if len(fields) > 1 and fields[1].isdecimal() else None
