"""Every exporter through every fault of its wire: nothing is lost, and what comes twice is known."""

from typing import Any

import pytest

import fapilog
from fapilog_exporter_syslog import SyslogExporter
from tests.integration.exporter_faults.destinations import DESTINATIONS, Destination
from tests.integration.exporter_faults.kafka_destination import Kafka
from tests.integration.exporter_faults.table import CELLS, FAULTS, TABLE, Absent, Repeats
from tests.servers.syslog import Fault

RECORDS = 200
PER_BLOCK = 25


def provider_to(destination: Destination, exporter: Any, **given: Any) -> fapilog.LoggerProvider:
    settings = fapilog.Settings.load(
        environ={},
        record_uid="on",
        buffer={"max_block_records": PER_BLOCK, "schedule_delay_millis": 10, "limit_bytes": 1 << 24},
        delivery={
            "retry": {"initial_backoff_millis": 1, "max_backoff_millis": 20},
            "breaker_pause_millis": 20,
        },
        **destination.settings(),
        **given,
    )
    return fapilog.LoggerProvider(settings=settings, exporters=[exporter])


def emit(provider: fapilog.LoggerProvider, destination: Destination, first: int, count: int) -> None:
    logger = provider.get_logger("orders")
    for number in range(first, first + count):
        refused = destination.refused and number % 2
        # Whose index is no token's, HEC refuses; the others know nothing of it.
        index = {"com.splunk.index": "other"} if refused else {}
        size = destination.padding_of_refused_bytes if refused else destination.padding_bytes
        padding = {"padding": "x" * size} if size else {}
        logger.emit(body=f"record {number}", attributes={"number": number, **index, **padding})


def play(provider: fapilog.LoggerProvider, destination: Destination, fault: str) -> None:
    """Log, with the fault between."""
    emit(provider, destination, 0, RECORDS // 4)
    assert provider.force_flush(60_000), str(provider.ledger())
    if fault == "away":
        destination.stop()
        emit(provider, destination, RECORDS // 4, RECORDS // 4)
        destination.start()
    else:
        destination.misbehave()
        emit(provider, destination, RECORDS // 4, RECORDS // 4)
        destination.recover()
    emit(provider, destination, RECORDS // 2, RECORDS // 2)
    assert provider.force_flush(60_000), str(provider.ledger())


def refused_of(destination: Destination) -> set[int]:
    """The numbers that the destination refuses for good."""
    return {number for number in range(RECORDS // 4, RECORDS) if number % 2} if destination.refused else set()


@pytest.mark.parametrize(("name", "fault"), [cell for cell in CELLS if cell[0] in DESTINATIONS])
def test_nothing_is_lost_and_repeats_are_as_the_table_says(name: str, fault: str) -> None:
    check_cell(DESTINATIONS[name](fault))


def check_cell(told: Destination) -> None:
    """Play the fault that a destination was told, and compare with the table."""
    name, fault = told.name, told.fault
    with told as destination:
        exporter = destination.exporter()
        with provider_to(destination, exporter) as provider:
            play(provider, destination, fault)
        ledger = provider.ledger()
        arrived, uids = destination.numbers(), set(destination.uids())
    side = ledger.exporters[name]
    refused = refused_of(destination)
    rejected = len(refused)
    if fault == "half_refused" and not destination.refused:  # by a count alone
        rejected = destination.rejected_by_count  # type: ignore[attr-defined]
    assert set(arrived) == set(range(RECORDS)) - refused
    assert (side.delivered, side.rejected, side.pending) == (RECORDS - rejected, rejected, 0)
    assert not sum(side.dropped.values())
    assert ledger.balanced
    # A record that comes twice has the uid that it had.
    assert len(uids) == len(arrived)
    check_repeats(destination, exporter, arrived.total() - len(arrived), TABLE[name][fault])


def check_repeats(destination: Destination, exporter: Any, twice: int, cell: object) -> None:
    counted = destination.counted_repeats(exporter)
    if cell is Repeats.NONE:
        assert twice == 0
    elif cell is Repeats.RECOGNISABLE:
        assert twice > 0
        assert counted is None
    elif cell is Repeats.REFUSED:
        assert twice == 0
        assert counted
    else:
        assert counted is not None
        assert 0 < twice <= counted


def test_every_destination_says_something_about_every_fault() -> None:
    assert {name: list(row) for name, row in TABLE.items()} == {name: list(FAULTS) for name in TABLE}
    assert [*DESTINATIONS, Kafka.name] == list(TABLE)
    assert all(cell.why for row in TABLE.values() for cell in row.values() if isinstance(cell, Absent))


def test_what_a_syslog_server_acknowledged_and_never_read_is_lost_and_nobody_is_told() -> None:
    """The one hole that no client can close, shown on purpose: `settle_millis` was shorter than the fault."""
    with DESTINATIONS["syslog"]("never_read") as destination:
        destination.server.faults.append(Fault(take=0, end="stall"))  # type: ignore[attr-defined]
        exporter = SyslogExporter(endpoint=destination.server.endpoint, settle_millis=0)  # type: ignore[attr-defined]
        with provider_to(destination, exporter) as provider:
            emit(provider, destination, 0, 3)
            assert provider.force_flush(30_000)
            destination.server.release.set()  # type: ignore[attr-defined]
        assert provider.ledger().exporters["syslog"].delivered == 3
        assert destination.numbers().total() == 0
