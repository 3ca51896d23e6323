"""The ledger's two equations, and what it prints."""

import dataclasses

import pytest

from fapilog.ledger import ExporterLedger, Ledger, from_native, total

NATIVE = {
    "offered": 10,
    "filtered": 1,
    "refused": {"shed": 2, "shut_down": 0, "capture_failed": 1},
    "accepted": 6,
    "recorded": 0,
    "adopted": 0,
    "exporters": {
        "otlp": {
            "accepted": 6,
            "delivered": 2,
            "rejected": 1,
            "dropped": {"expired": 1, "shutdown": 0},
            "pending": 2,
            "adopted": 0,
            "spooled": 0,
            "kept": 0,
        }
    },
    "console": (4, 2),
}


def test_a_native_ledger_becomes_a_value():
    otlp = ExporterLedger(6, 2, 1, {"expired": 1, "shutdown": 0}, 2)
    refused = {"shed": 2, "shut_down": 0, "capture_failed": 1}
    assert from_native(NATIVE, console=False) == Ledger(10, 1, refused, 6, 0, {"otlp": otlp})
    console = ExporterLedger(6, 4, 2, {}, 0)
    both = Ledger(10, 1, refused, 6, 0, {"otlp": otlp, "console": console})
    assert from_native(NATIVE, console=True) == both
    assert both.balanced


def test_it_prints_both_equations_without_terms_that_are_zero():
    assert str(from_native(NATIVE, console=True)) == (
        "offered 10 = filtered 1 + refused 2 (shed) + refused 1 (capture_failed) + accepted 6\n"
        "otlp: accepted 6 = delivered 2 + rejected 1 + dropped 1 (expired) + pending 2\n"
        "console: accepted 6 = delivered 4 + rejected 2 + pending 0"
    )


@pytest.mark.parametrize("term", ["offered", "filtered", "accepted"])
def test_a_term_that_is_off_by_one_breaks_the_first_equation(term):
    ledger = from_native(NATIVE, console=False)
    assert not dataclasses.replace(ledger, **{term: getattr(ledger, term) + 1}).balanced


@pytest.mark.parametrize("term", ["accepted", "delivered", "rejected", "pending"])
def test_a_term_that_is_off_by_one_breaks_the_second_equation(term):
    ledger = from_native(NATIVE, console=False)
    side = ledger.exporters["otlp"]
    wrong = dataclasses.replace(side, **{term: getattr(side, term) + 1})
    assert not dataclasses.replace(ledger, exporters={"otlp": wrong}).balanced


def test_adopted_records_count_on_the_exporters_side():
    side = ExporterLedger(accepted=1, delivered=3, rejected=0, dropped={}, pending=0)
    assert (side.balanced, dataclasses.replace(side, adopted=2).balanced) == (False, True)


def test_what_was_taken_over_and_what_is_on_disk_is_printed():
    side = ExporterLedger(1, 2, 0, {}, 3, adopted=4, spooled=2)
    assert str(Ledger(1, 0, {}, 1, 4, {"otlp": side})).splitlines()[1] == (
        "otlp: accepted 1 + adopted 4 = delivered 2 + rejected 0 + pending 3 (2 on disk)"
    )


def test_what_the_crash_ring_keeps_is_printed_and_summed():
    side = ExporterLedger(5, 0, 0, {}, 5, spooled=2, kept=3)
    ledger = Ledger(5, 0, {}, 5, 0, {"otlp": side})
    assert str(ledger).endswith("+ pending 5 (2 on disk, 3 in the crash ring)")
    assert total([ledger, ledger]).exporters["otlp"].kept == 6


def test_a_ledger_cannot_be_changed():
    ledger = from_native(NATIVE, console=False)
    with pytest.raises(TypeError):
        ledger.refused["shed"] = 0  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        ledger.offered = 0  # type: ignore[misc]
