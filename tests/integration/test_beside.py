"""What watches beside a test cannot fail in silence."""

import threading
from dataclasses import replace
from types import MappingProxyType

import pytest

from fapilog import Ledger
from fapilog.ledger import ExporterLedger
from tests.integration.beside import Ledgers, beside, joined, wait_until

SIDE = ExporterLedger(accepted=9, delivered=5, rejected=0, dropped=MappingProxyType({}), pending=4, spooled=3)
LEDGER = Ledger(9, 0, MappingProxyType({}), 9, 0, MappingProxyType({"otlp": SIDE}))


def test_what_a_call_raises_beside_a_block_is_raised_at_its_end() -> None:
    def fail() -> None:
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"), beside(fail) as failed:
        assert failed.wait(30)


def test_it_is_raised_even_if_the_block_fails_too() -> None:
    def fail() -> None:
        raise KeyError("broken")

    def block() -> None:
        with beside(fail) as failed:
            assert failed.wait(30)
            raise ValueError("the block's own")

    with pytest.raises(KeyError) as caught:
        block()
    assert isinstance(caught.value.__context__, ValueError)


def test_a_thread_that_does_not_end_is_a_failure() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="hangs")
    thread.start()
    with pytest.raises(AssertionError, match="hangs"):
        joined([thread], 0.01)
    release.set()
    joined([thread])


def test_calls_are_repeated_until_the_block_ends() -> None:
    ledgers = Ledgers(lambda: LEDGER)
    with beside(ledgers.look):
        wait_until(lambda: ledgers.looks > 10)
    assert ledgers.most_spooled == 3


def test_a_ledger_that_does_not_add_up_ends_the_watch() -> None:
    ledgers = Ledgers(lambda: replace(LEDGER, accepted=8))
    with pytest.raises(AssertionError, match="accepted"), beside(ledgers.look) as failed:
        assert failed.wait(30)
    assert ledgers.looks == 0
