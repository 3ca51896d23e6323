"""The judge of the fault matrix finds what it is there for: one that lets all pass proves nothing."""

import threading
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from fapilog import Ledger
from fapilog.ledger import ExporterLedger
from tests.integration.faults.judge import Application, Arrived, Watch, judge, judge_the_end
from tests.integration.faults.table import Fate

SIDE = ExporterLedger(accepted=4, delivered=4, rejected=0, dropped=MappingProxyType({}), pending=0)
LOST = replace(SIDE, delivered=3, dropped=MappingProxyType({"shutdown": 1}))


def arrived(*numbers: int, **sequences: int) -> Arrived:
    """Records with these numbers; `of_2=7` gives number 2 the sequence number 7."""
    records: list[Any] = [
        SimpleNamespace(body=number, attributes={"fapilog.sequence": sequences.get(f"of_{number}", number)})
        for number in numbers
    ]
    return Arrived(records)


def application() -> Application:
    """One that logged the numbers 0 to 3, two of them during a fault."""
    provider: Any = None
    return Application(provider, 4, {"before": range(1), "during": range(1, 3), "after": range(3, 4)})


@pytest.mark.parametrize(
    ("fate", "side", "came"),
    [
        pytest.param(Fate.WAIT, SIDE, arrived(0, 1, 3), id="a loss that nobody counted"),
        pytest.param(Fate.WAIT, SIDE, arrived(0, 1, 2, 2, 3), id="a record that came twice"),
        pytest.param(Fate.WAIT, SIDE, arrived(0, 1, 2, 3, of_2=7), id="a gap that nobody made"),
        pytest.param(Fate.WAIT, SIDE, arrived(0, 1, 2, 3, of_1=2, of_2=1), id="an order that is wrong"),
        pytest.param(Fate.WAIT, SIDE, arrived(0, 1, 2, 3, 4), id="a record that nobody logged"),
        pytest.param(Fate.WAIT, replace(SIDE, delivered=3, pending=1), arrived(0, 1, 2, 3), id="undecided"),
        pytest.param(Fate.WAIT, replace(SIDE, delivered=3, rejected=1), arrived(0, 1, 2, 3), id="rejected"),
        pytest.param(Fate.WAIT, LOST, arrived(0, 1, 2), id="dropped"),
        pytest.param(Fate.REJECTED, replace(SIDE, delivered=2, rejected=2), arrived(0, 1), id="wrong ones"),
        pytest.param(Fate.PARTLY, SIDE, arrived(0, 1, 2, 3), id="a partial success that was not heard"),
    ],
)
def test_what_is_wrong_at_the_end_is_found(fate: Fate, side: ExporterLedger, came: Arrived) -> None:
    with pytest.raises(AssertionError):
        judge(fate, application(), side, came, answer_lost=False)


def test_what_is_right_passes() -> None:
    judge(Fate.WAIT, application(), SIDE, arrived(2, 0, 1, 3), answer_lost=False)
    judge(Fate.WAIT, application(), SIDE, arrived(0, 1, 2, 2, 3), answer_lost=True)
    refused = replace(SIDE, delivered=2, rejected=2)
    judge(Fate.REJECTED, application(), refused, arrived(0, 3), answer_lost=False)
    judge_the_end(application(), LOST, arrived(0, 1, 2), receiver_knows=True)


@pytest.mark.parametrize(
    ("side", "came"),
    [
        pytest.param(LOST, arrived(0, 1), id="more is missing than was counted"),
        pytest.param(LOST, arrived(0, 1, 2, 3), id="more was counted than is missing"),
        pytest.param(replace(LOST, dropped=MappingProxyType({"expired": 1})), arrived(0, 1, 2), id="why"),
        pytest.param(replace(LOST, pending=1, delivered=2), arrived(0, 1, 2), id="undecided"),
    ],
)
def test_what_is_wrong_after_a_shutdown_is_found(side: ExporterLedger, came: Arrived) -> None:
    with pytest.raises(AssertionError):
        judge_the_end(application(), side, came, receiver_knows=True)


def test_a_ledger_that_does_not_add_up_for_a_moment_is_found() -> None:
    sides = MappingProxyType({"otlp": SIDE})
    right = Ledger(4, 0, MappingProxyType({}), 4, 0, sides)
    ledgers = iter([right, replace(right, offered=5)])
    met = threading.Event()

    def read() -> Ledger:
        ledger = next(ledgers, right)
        if not ledger.balanced:
            met.set()
        return ledger

    watch = Watch(read)
    with pytest.raises(AssertionError, match="offered 5"), watch.watching():
        assert met.wait(30)
