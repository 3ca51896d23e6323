"""The one judge of the fault matrix: the ledger at every moment, and what was logged against what arrived."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fapilog import LoggerProvider
from fapilog.ledger import ExporterLedger
from fapilog.testing import ReceivedLogRecord
from tests.integration.beside import Ledgers, beside
from tests.integration.faults.table import Fate

LOOK_SECONDS = 0.002
SEQUENCE = "fapilog.sequence"
PADDING = random.Random(0)


class Watch(Ledgers):
    """Reads the ledger again and again, beside everything else."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Looks all the time inside the block; none may be wrong."""
        with beside(self.look, pause_seconds=LOOK_SECONDS):
            yield
        self.look()


@dataclass
class Application:
    """Logs numbered records; the number is the body, so that it can be compared with the sequence number."""

    provider: LoggerProvider
    logged: int = 0
    # Which numbers were logged in which phase, and how long each lot of calls took.
    phases: dict[str, range] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    # Bytes of each record that no compression makes smaller.
    padding_bytes: int = 0

    def log(self, phase: str, lots: int, of: int) -> None:
        """Logs some lots of records."""
        emit = self.provider.get_logger("shop").emit
        first, spent = self.logged, []
        size = self.padding_bytes
        paddings = [{"padding": PADDING.randbytes(size)} if size else {} for _ in range(of)]
        for _ in range(lots):
            begun = time.perf_counter()
            for number, padding in enumerate(paddings, self.logged):
                attributes = {"path": "/api/v1/orders", "status": 200, "customer": number * 7_919}
                emit(body=number, attributes=attributes | padding)
            spent.append(time.perf_counter() - begun)
            self.logged += of
        self.phases[phase] = range(first, self.logged)
        self.seconds[phase] = spent


@dataclass(frozen=True)
class Arrived:
    """What a receiver took, by the numbers of the application's records."""

    records: Sequence[ReceivedLogRecord]

    @property
    def times(self) -> Counter[int]:
        """How often each number came."""
        return Counter(record.body for record in self.records)

    @property
    def duplicates(self) -> int:
        """Records that came once too often."""
        return self.times.total() - len(self.times)

    def check_order(self) -> None:
        """Every sequence number names one record, and they rise as the calls did."""
        pairs = {(record.attributes[SEQUENCE], record.body) for record in self.records}
        assert sorted(pairs) == [(body, body) for body in sorted(self.times)], sorted(pairs)


def lost(side: ExporterLedger) -> dict[str, int]:
    """What was dropped, by reason; empty when nothing was."""
    return {reason: count for reason, count in side.dropped.items() if count}


def judge(
    fate: Fate, application: Application, side: ExporterLedger, arrived: Arrived, *, answer_lost: bool
) -> None:
    """Says whether the end is right: everything is decided, and what arrived is what the ledger says.

    Args:
        fate: Of the records that were logged during the fault.
        application: What was logged.
        side: The exporter's ledger after the last flush.
        arrived: What the receiver took.
        answer_lost: Whether records may have come twice.
    """
    logged, times = application.logged, arrived.times
    missing = set(range(logged)) - set(times)
    assert set(times) <= set(range(logged))
    assert (side.accepted, side.pending, lost(side)) == (logged, 0, {}), side
    assert side.delivered + side.rejected == logged, side
    if fate is Fate.REJECTED:
        assert missing == set(application.phases["during"]), sorted(missing)
        assert side.rejected == len(missing), side
    else:
        assert not missing, sorted(missing)
        during = len(application.phases["during"])
        if fate is Fate.PARTLY:
            assert 0 < side.rejected < during, side
        else:
            assert side.rejected == (during if fate is Fate.REJECTED_BUT_TAKEN else 0), side
    assert answer_lost or not arrived.duplicates, arrived.times.most_common(5)
    arrived.check_order()


def judge_the_end(
    application: Application, side: ExporterLedger, arrived: Arrived, *, receiver_knows: bool
) -> None:
    """Says whether a shutdown under a fault is right: all is decided or on disk, and what is lost is counted.

    Args:
        application: What was logged.
        side: The exporter's ledger after the shutdown.
        arrived: What the receiver took.
        receiver_knows: Whether the receiver took a record only if it was counted as delivered or partly so.
    """
    times = arrived.times
    missing = application.logged - len(times)
    assert (side.accepted, side.pending) == (application.logged, side.spooled), side
    assert set(lost(side)) <= {"shutdown"}, side
    counted = side.rejected + side.spooled + sum(side.dropped.values())
    assert missing <= counted, (missing, side)
    if receiver_knows:
        assert missing == counted, (missing, side)
        assert not arrived.duplicates, times.most_common(5)
    arrived.check_order()
