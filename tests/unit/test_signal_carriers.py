"""No type of sensitive value leaves in any carrier of spans, metrics, baggage and stock log records."""

from collections.abc import Iterator

import pytest

from fapilog.controls.carriers import CARRIERS, Signals
from fapilog.controls.vectors import Vector, vectors
from fapilog.settings.redaction import RedactionSettings
from fapilog.testing.forms import KnownValue

# A path of a home directory is looked for when an action names it.
SCAN = RedactionSettings(mode="scan", actions={"USER_PATH": "remove"})
CARD, PASSWORD, EMAIL = "4111 1111 1111 1111", "corr3ct-h0rse", "anna@example.org"
CHOSEN = {
    "a card number": Vector("PAN", CARD, "card", CARD, f"card {CARD}"),
    "a password": Vector("PASSWORD", PASSWORD, "db.password", PASSWORD, f"password={PASSWORD}"),
    "an address": Vector("EMAIL", EMAIL, "user.email", EMAIL, f"mail to {EMAIL}"),
}


@pytest.fixture
def signals() -> Iterator[Signals]:
    made = Signals(SCAN)
    yield made
    made.shutdown()


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_nothing_sensitive_arrives(signals: Signals, carrier: str, name: str):
    vector = CHOSEN[name]
    assert CARRIERS[carrier](signals, vector)
    known = KnownValue(vector.value)
    arrived = signals.take()
    assert {place: known.form_in(reading) for place, reading in arrived.items()} == dict.fromkeys(arrived)


def test_without_redaction_of_values_every_carrier_would_carry_them():
    """The test above can fail: the same carriers do carry."""
    vector = CHOSEN["a card number"]
    for carrier, send in CARRIERS.items():
        signals = Signals(RedactionSettings())
        assert send(signals, vector)
        shown = [reading for reading in signals.take().values() if KnownValue(vector.value).form_in(reading)]
        expected = 3 if carrier.startswith("span") else 2 if carrier.startswith("record") else 1
        assert (carrier, len(shown)) == (carrier, expected)
        signals.shutdown()


def test_the_resource_carries_nothing_sensitive():
    signals = Signals(SCAN, {vector.key: vector.field for vector in CHOSEN.values()})
    for carrier in ("span.attribute", "metric.attribute", "record.body"):
        CARRIERS[carrier](signals, Vector("NONE", "x", "control", "1", "control"))
    arrived = signals.take()
    found = {
        (place, vector.type)
        for place, reading in arrived.items()
        for vector in CHOSEN.values()
        if KnownValue(vector.value).form_in(reading)
    }
    assert found == set()
    assert all("control" in reading.text for place, reading in arrived.items() if place != "baggage header")
    signals.shutdown()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_no_type_arrives_in_any_carrier(signals: Signals, carrier: str):
    taken = [vector for vector in vectors() if CARRIERS[carrier](signals, vector)]
    arrived = signals.take()
    found = {
        (place, vector.type, form)
        for place, reading in arrived.items()
        for vector in taken
        if (form := KnownValue(vector.value).form_in(reading))
    }
    assert found == set()
    assert taken
