"""Stage 7 of 7, settle: what became of every record, as a value. Threads: any.

Two equations hold at every moment, and `Ledger.balanced` checks them:

* offered = filtered + refused{reason} + accepted
* accepted + adopted = delivered + rejected + dropped{reason} + pending, for every exporter
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# Refusals that somebody asked for: by a processor, by a rule of redaction, or by logging after the end.
# Nothing is lost by them.
WANTED_REFUSALS = frozenset({"sampled", "rate_limited", "deduplicated", "repeated", "redacted", "shut_down"})


@dataclass(frozen=True)
class ExporterLedger:
    """One exporter's side.

    Attributes:
        accepted: Records this exporter answers for: all, and of a fallback those that were handed over to it.
        delivered: Acknowledged by the receiver (console: written).
        rejected: Refused by the receiver for good (console: the stream could not be written).
        dropped: Lost, by reason: `overflow_oldest`, `overflow_newest`, `wait_timeout`, `not_awaited`,
            `expired`, `shutdown`, `processed` (left out by a batch processor), `encode_failed`, `damaged`
            (its bytes on disk), `best_effort` (the exporter is best-effort and was behind),
            `diverted` (not lost: its fallback accepted them), `withheld` (the exporter's own redaction policy
            leaves them out), `unredacted` (that policy could not be applied, so they were not sent).
        pending: Held in memory or on disk, not decided yet. Counted where the records lie, not computed.
        adopted: Taken over from ended processes, for this exporter.
        spooled: Of the pending ones, those in the spool: they survive this process.
        kept: Of the pending ones, those in memory that the crash ring keeps (`durability` `process`, `power`)
            for the next process, or a living one. `pending - spooled - kept` would be lost with this process.
    """

    accepted: int
    delivered: int
    rejected: int
    dropped: Mapping[str, int]
    pending: int
    adopted: int = 0
    spooled: int = 0
    kept: int = 0

    @property
    def lost(self) -> int:
        """Records that were dropped; those that the fallback got are not."""
        return sum(self.dropped.values()) - self.dropped.get("diverted", 0)

    @property
    def balanced(self) -> bool:
        """True when the terms add up."""
        return (
            self.accepted + self.adopted
            == self.delivered + self.rejected + sum(self.dropped.values()) + self.pending
        )


@dataclass(frozen=True)
class Ledger:
    """All terms at one moment.

    Attributes:
        offered: Calls that reached a logger.
        filtered: Below the logger's level; those that the flight recorder keeps, too.
        refused: Not accepted, by reason: `shed` (buffer under pressure), `shut_down`, `capture_failed`; and
            what processors were told to leave out: `sampled`, `rate_limited`, `deduplicated`, `repeated`; and
            `redacted` (a rule or an action of redaction drops such records).
        accepted: Past redaction.
        adopted: Taken over from ended processes, whichever exporters they were for (`spool.adopt`).
        exporters: By name.
        recorded: Of the filtered ones, those that the flight recorder keeps now: once exported, they count as
            accepted.
        violations: Records that lack a field that a compliance profile asks for, or have one that it forbids,
            by category, demand and field: `audit required user.id|actor`. They are delivered all the same.

    Example:
        >>> print(Ledger(3, 1, MappingProxyType({}), 2, 0, MappingProxyType({})))
        offered 3 = filtered 1 + accepted 2
    """

    offered: int
    filtered: int
    refused: Mapping[str, int]
    accepted: int
    adopted: int
    exporters: Mapping[str, ExporterLedger]
    recorded: int = 0
    violations: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def balanced(self) -> bool:
        """True when both equations hold."""
        entered = self.offered == self.filtered + sum(self.refused.values()) + self.accepted
        return entered and all(exporter.balanced for exporter in self.exporters.values())

    def __str__(self) -> str:
        refused = "".join(f" + refused {count} ({reason})" for reason, count in self.refused.items() if count)
        recorded = f" ({self.recorded} recorded)" if self.recorded else ""
        lines = [
            f"offered {self.offered} = filtered {self.filtered}{recorded}{refused} + accepted {self.accepted}"
        ]
        for name, side in self.exporters.items():
            dropped = "".join(
                f" + dropped {count} ({reason})" for reason, count in side.dropped.items() if count
            )
            adopted = f" + adopted {side.adopted}" if side.adopted else ""
            places = {"on disk": side.spooled, "in the crash ring": side.kept}
            held = ", ".join(f"{count} {place}" for place, count in places.items() if count)
            spooled = f" ({held})" if held else ""
            lines.append(
                f"{name}: accepted {side.accepted}{adopted} = delivered {side.delivered}"
                f" + rejected {side.rejected}{dropped} + pending {side.pending}{spooled}"
            )
        return "\n".join(lines)


def from_native(counts: Mapping[str, Any], *, console: bool) -> Ledger:
    """Build a ledger from `_native.Pipeline.ledger()`; `console` adds that exporter's side."""
    exporters = {
        name: ExporterLedger(
            side["accepted"],
            side["delivered"],
            side["rejected"],
            MappingProxyType(side["dropped"]),
            side["pending"],
            side["adopted"],
            side["spooled"],
            side["kept"],
        )
        for name, side in counts["exporters"].items()
    }
    if console:
        written, failed = counts["console"]
        exporters["console"] = ExporterLedger(written + failed, written, failed, MappingProxyType({}), 0)
    return Ledger(
        counts["offered"],
        counts["filtered"],
        MappingProxyType(counts["refused"]),
        counts["accepted"],
        counts["adopted"],
        MappingProxyType(exporters),
        counts["recorded"],
        MappingProxyType(counts.get("violations", {})),
    )


def total(ledgers: Iterable[Ledger]) -> Ledger:
    """Add up the ledgers of several pipelines, exporter by exporter."""
    found = list(ledgers)
    sides: dict[str, list[ExporterLedger]] = {}
    for each in found:
        for name, side in each.exporters.items():
            sides.setdefault(name, []).append(side)
    return Ledger(
        sum(each.offered for each in found),
        sum(each.filtered for each in found),
        _added(each.refused for each in found),
        sum(each.accepted for each in found),
        sum(each.adopted for each in found),
        MappingProxyType({name: _total_side(all_of_it) for name, all_of_it in sides.items()}),
        sum(each.recorded for each in found),
        _added(each.violations for each in found),
    )


def _total_side(sides: list[ExporterLedger]) -> ExporterLedger:
    return ExporterLedger(
        sum(side.accepted for side in sides),
        sum(side.delivered for side in sides),
        sum(side.rejected for side in sides),
        _added(side.dropped for side in sides),
        sum(side.pending for side in sides),
        sum(side.adopted for side in sides),
        sum(side.spooled for side in sides),
        sum(side.kept for side in sides),
    )


def _added(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    added: dict[str, int] = {}
    for each in counts:
        for reason, count in each.items():
            added[reason] = added.get(reason, 0) + count
    return MappingProxyType(added)
