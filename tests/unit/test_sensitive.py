"""Fields that `Sensitive` marks never leave, however the model is logged."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, ForwardRef, NewType

import pydantic
import pytest

from fapilog import ConfigurationError, LogEvent
from fapilog.marked_fields import markers
from fapilog.redaction import Sensitive
from fapilog.values import to_plain
from tests.unit.recording import Recorder

if TYPE_CHECKING:
    from decimal import Decimal

Number = Annotated[str, Sensitive("PAN")]
Named = NewType("Named", str)


class Card(pydantic.BaseModel):
    number: Number
    holder: Annotated[str, pydantic.Field(alias="Holder"), Sensitive("holder")] = ""
    year: int = 2030


class Customer(pydantic.BaseModel):
    name: Annotated[str, Sensitive()] | None = None
    cards: list[Card] = []
    notes: list[Annotated[str, Sensitive("note")]] = []
    key: pydantic.SecretStr = pydantic.SecretStr("hidden too")
    data: pydantic.SecretBytes = pydantic.SecretBytes(b"hidden too")
    nick: Named | None = None


@dataclasses.dataclass
class Patient:
    ward: str
    number: Annotated[str, Sensitive("mrn")]
    card: Card | None = None


@dataclasses.dataclass
class Child(Patient):
    age: "Annotated[int, Sensitive('age')]" = 0


@dataclasses.dataclass
class Unread:
    price: "Decimal"
    number: "Number"
    other: "Annotated[Decimal, Sensitive('price')]"


SHOWN = {"number": "[REDACTED:pan]", "holder": "[REDACTED:holder]", "year": 2030}


def customer() -> Customer:
    card = Card(number="4111", Holder="Ann")
    return Customer(name="Ann", cards=[card], notes=["a note"], nick=Named("annie"))


def attributes_of(value: Any) -> dict[str, Any]:
    with Recorder() as recorder:
        recorder.logger().info("x", value=value, many=[value], deep={"a": {"b": value}})
        return dict(recorder.only.attributes)


def test_marked_fields_have_their_marker_at_any_depth():
    shown = {
        "name": "[REDACTED:sensitive]",
        "cards": [SHOWN],
        "notes": "[REDACTED:note]",
        "key": "[REDACTED:secret]",
        "data": "[REDACTED:secret]",
        "nick": "annie",
    }
    attributes = attributes_of(customer())
    assert attributes == {"value": shown, "many": [shown], "deep": {"a": {"b": shown}}}


def test_dataclasses_inherit_marks_and_may_write_their_types_as_text():
    child = Child("7b", "12", Card(number="4111"), 4)
    shown = {"ward": "7b", "number": "[REDACTED:mrn]", "card": SHOWN, "age": "[REDACTED:age]"}
    assert attributes_of(child)["value"] == shown


def test_a_type_that_cannot_be_evaluated_hides_what_names_a_mark_and_leaves_the_rest():
    hidden = {"number": "[REDACTED:pan]", "other": "[REDACTED:sensitive]"}
    assert markers(Unread) == hidden
    assert to_plain(Unread(1, "4111", 2)) == {"price": 1, **hidden}  # type: ignore[arg-type]


def test_a_mark_is_found_anywhere_in_a_type():
    class Odd:
        model_fields: ClassVar = {
            "a": type("Field", (), {"annotation": ForwardRef("Sensitive"), "metadata": []})()
        }

    assert markers(Odd) == {"a": "[REDACTED:sensitive]"}


def test_a_field_that_was_never_set_shows_its_marker_as_well():
    assert to_plain(Patient.__new__(Patient)) == {"number": "[REDACTED:mrn]", "card": None}


def test_the_context_of_an_event_is_hidden_too():
    event = LogEvent(message="paid", context={"card": Card(number="4111", Holder="A"), "user_name": "ann"})
    with Recorder() as recorder:
        recorder.logger().emit(event)
        assert recorder.only.attributes == {"card": SHOWN, "user.name": "ann"}


def test_a_word_that_no_marker_can_carry_is_refused():
    assert (Sensitive("US_SSN").type, repr(Sensitive("x"))) == ("ssn", "Sensitive('x')")
    assert Sensitive("PAN") == Sensitive("pan") != Sensitive("x")
    assert len({Sensitive("PAN"), Sensitive("pan")}) == 1
    with pytest.raises(ConfigurationError, match="no marker can carry") as caught:
        Sensitive("a]b")
    assert "'a]b'" in str(caught.value)
