"""An outage longer than memory lasts: what is lost is counted, told, and visible at the receiver as gaps."""

from typing import Any

import pytest

from tests.integration.beside import wait_until
from tests.integration.faults.conftest import Identities
from tests.integration.faults.judge import Application, lost
from tests.integration.faults.scene import Scene, scene
from tests.integration.faults.table import EVERY_WAY, FAULTS, Fault
from tests.integration.harness import in_order, is_loss_report, sequence
from tests.servers.toxiproxy.control import Toxiproxy

# Attempts end only where nothing else ends them: on a busy machine that sends records twice.
SHORT_ATTEMPT_MILLIS, ATTEMPT_MILLIS = 300, 20_000
ALL_IN_TIME_MILLIS = 30_000
SMALL: dict[str, Any] = {"limit_bytes": 65_536, "chunk_bytes": 4_096, "record_bytes": 1_024}
REASONS = {"drop_oldest": "overflow_oldest", "drop_newest": "overflow_newest", "wait": "wait_timeout"}
MOST_RECORDS = 200_000

CELLS = [
    pytest.param(
        fault, way, id=f"{fault.name}-{way}", marks=[pytest.mark.toxiproxy] if fault.needs_proxy else []
    )
    for fault in FAULTS
    if fault.name in {"503", "half open"}
    for way in EVERY_WAY
]


@pytest.mark.parametrize("overflow", REASONS)
@pytest.mark.parametrize(("fault", "way"), CELLS)
def test_what_memory_cannot_hold_is_counted_and_shows_as_gaps(
    fault: Fault, way: str, overflow: str, identities: Identities, request: pytest.FixtureRequest
) -> None:
    network: Toxiproxy | None = request.getfixturevalue("toxiproxy") if fault.needs_proxy else None
    buffer = {**SMALL, "overflow": overflow, "wait_timeout_millis": 1}
    attempt = SHORT_ATTEMPT_MILLIS if fault.hangs else ATTEMPT_MILLIS
    with scene(fault, way, network, identities, attempt, buffer=buffer) as cell, cell.watch.watching():
        cell.application.log("before", 1, 10)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS)
        cell.begin()
        overflow_it(cell, REASONS[overflow])
        cell.end()
        wait_until(lambda: drained(cell), "an empty buffer, and the report of the losses")
        cell.application.log("after", 1, 10)
        assert cell.provider.force_flush(ALL_IN_TIME_MILLIS), str(cell.watch.look())
        compare(cell, REASONS[overflow])


def overflow_it(cell: Scene, reason: str) -> None:
    """Logs until records were lost, and a little more."""
    application: Application = cell.application
    while not lost(cell.side()) and application.logged < MOST_RECORDS:
        application.log("during", 1, 20)
    application.log("during", 3, 20)
    assert lost(cell.side()).get(reason, 0) > 0, cell.side()


def drained(cell: Scene) -> bool:
    """Whether all is decided and the pipeline has told what it cost."""
    return cell.side().pending == 0 and any(map(is_loss_report, cell.arrived().records))


def compare(cell: Scene, reason: str) -> None:
    """What arrived, what is missing and what was counted are one sum."""
    side, records = cell.side(), in_order(list(cell.arrived().records))
    reports = [record for record in records if is_loss_report(record)]
    bodies = [record.body for record in records if not is_loss_report(record)]
    numbers = [sequence(record) for record in records]
    ledger = cell.watch.look()
    missing = cell.application.logged - len(bodies)
    assert len(set(numbers)) == len(numbers)
    assert bodies == sorted(set(bodies))
    assert (side.pending, side.rejected, set(lost(side))) == (0, 0, {reason}), side
    assert missing == lost(side)[reason] + sum(ledger.refused.values()), (missing, str(ledger))
    # A record that was refused a place got a number too, so that it leaves a gap.
    gaps = numbers[-1] + 1 - len(numbers)
    assert gaps == lost(side)[reason], (gaps, side)
    assert sum(told(report) for report in reports) == missing, reports


def told(report: Any) -> int:
    """How many losses a report of the pipeline tells."""
    return sum(count for name, count in report.attributes.items() if name.startswith("fapilog.lost."))
