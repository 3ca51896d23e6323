"""`fapilog.redaction.Redactor`: the rules for records, for single texts and mappings."""

import datetime
import threading
from collections import OrderedDict, UserDict
from typing import Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from pydantic import SecretStr

from fapilog.redaction import Redactor
from fapilog.settings.redaction import RedactionSettings

CARD = "4111 1111 1111 1111"
SCAN = RedactionSettings(mode="scan")


class Unreadable(UserDict[str, Any]):
    def items(self) -> Any:
        raise ValueError("not now")


class Text(str):
    def __str__(self) -> str:
        return "harmless"


def test_without_settings_it_hides_secret_names_and_credentials_in_urls_only():
    redactor = Redactor()
    assert redactor.text(f"https://u:p@host/x and {CARD}") == f"https://REDACTED:REDACTED@host/x and {CARD}"
    assert redactor.text("hunter2", "db.password") == "[REDACTED:secret]"
    assert redactor.attributes({"api_key": "k", "card": CARD, "n": 1}) == {
        "api_key": "[REDACTED:secret]",
        "card": CARD,
        "n": 1,
    }


def test_with_scan_it_hides_values_wherever_they_stand():
    given = {
        "text": f"card {CARD}",
        "number": 4_111_111_111_111_111,
        "bytes": b"card 4111 1111 1111 1111",
        "list": ["a", "ann@example.org"],
        "tuple": ("a", "ann@example.org"),
        "split": ("4111", "1111", "1111", "1111"),
        "nested": {"deep": [{"email": "ann@example.org"}], "password": "x"},
        "ann@example.org": True,
        "user": {"ssn": 536_221_034},
        "kept": ("GET", 200, 1.5, None, True, b"\xff"),
    }
    assert Redactor(SCAN).attributes(given) == {
        "text": "card [REDACTED:pan]",
        "number": "[REDACTED:pan]",
        "bytes": b"card [REDACTED:pan]",
        "list": ["a", "[REDACTED:email]"],
        "tuple": ("a", "[REDACTED:email]"),
        "split": ("[REDACTED:pan]",),
        "nested": {"deep": [{"email": "[REDACTED:email]"}], "password": "[REDACTED:secret]"},
        "[REDACTED:email]": True,
        "user": {"ssn": "[REDACTED:ssn]"},
        "kept": ("GET", 200, 1.5, None, True, b"\xff"),
    }


def test_an_action_and_further_names_count_here_too():
    settings = RedactionSettings(mode="scan", actions={"PAN": "truncate:6:4"}, secret_keys=("badge",))
    assert Redactor(settings).attributes({"card": CARD, "badge": 7}) == {
        "card": "[REDACTED:pan:411111...1111]",
        "badge": "[REDACTED:secret]",
    }


def test_the_name_of_the_attribute_speaks_for_a_text():
    redactor = Redactor(SCAN)
    assert redactor.text("536221034", "user.ssn") == "[REDACTED:ssn]"
    assert redactor.text("536221034", "order.id") == "536221034"


def test_notes_say_what_was_hidden_and_where_and_only_when_asked_for():
    redactor = Redactor(SCAN)
    given = {"card": CARD, "user": {"email": "ann@example.org"}}
    assert redactor.attributes(given, notes=True)["fapilog.redacted"] == ("card:pan", "user.email:email")
    assert "fapilog.redacted" not in redactor.attributes(given)
    assert redactor.attributes({"fapilog.redacted": ("a:pan",)}) == {"fapilog.redacted": ("a:pan",)}


def test_values_that_nobody_can_change_come_back_as_they_were():
    text = "x" * 100
    given = {"text": text, "words": ("a", "b"), "card": CARD}
    left = Redactor(SCAN).attributes(given)
    assert left["text"] is text
    assert left["words"] is given["words"]
    assert Redactor(SCAN).text(text) is text


def test_other_values_come_back_as_a_record_would_show_them():
    given = {
        "day": datetime.date(2026, 11, 29),
        "model": SecretStr("x"),
        "text": Text(CARD),
        7: "seven",
        "large": 10**30,
    }
    assert Redactor(SCAN).attributes(given) == {
        "day": "2026-11-29",
        "model": "[REDACTED:secret]",
        "text": "[REDACTED:pan]",
        "7": "seven",
        "large": str(10**30),
    }


def test_any_mapping_is_read():
    expected = {"a": 1, "card": "[REDACTED:pan]"}
    given = {"a": 1, "card": CARD}
    assert Redactor(SCAN).attributes(OrderedDict(given)) == expected
    assert Redactor(SCAN).attributes(BoundedAttributes(attributes=given)) == expected


def test_what_cannot_be_read_does_not_come_back():
    redactor = Redactor(SCAN)
    assert redactor.attributes(Unreadable(card=CARD)) == {"fapilog.redacted": "[REDACTED:unscanned]"}
    odd: Any = object()
    assert redactor.attributes(odd) == {"fapilog.redacted": "[REDACTED:unscanned]"}
    assert redactor.text(odd).startswith("<object object")


def test_any_value_is_read_as_the_body_of_a_record():
    redactor = Redactor(SCAN)
    assert redactor.value(f"card {CARD}") == "card [REDACTED:pan]"
    assert redactor.value({"card": CARD, "password": "x", "list": [1, CARD]}) == {
        "card": "[REDACTED:pan]",
        "password": "[REDACTED:secret]",
        "list": [1, "[REDACTED:pan]"],
    }
    assert redactor.value([CARD, 7]) == ["[REDACTED:pan]", 7]
    assert [redactor.value(value) for value in (None, "", 7, True, 1.5)] == [None, "", 7, True, 1.5]


def test_nothing_changed_is_told():
    redactor = Redactor(SCAN)
    assert redactor.changed({"a": 1, "b": ("x", "y")}) is None
    assert redactor.changed({"a": CARD}) == {"a": "[REDACTED:pan]"}


def test_a_text_is_scanned_to_its_end_and_a_value_of_a_mapping_is_cut_where_a_record_cuts_it():
    long = "x " * 200_000
    assert Redactor(SCAN).text(long + CARD) == long + "[REDACTED:pan]"
    [left] = Redactor(SCAN).attributes({"text": long + CARD}).values()
    assert long.startswith(left)


def test_lone_surrogates_hide_nothing():
    assert "4111" not in Redactor(SCAN).text(f"\ud800 {CARD}")
    assert "4111" not in repr(Redactor(SCAN).attributes({"a": f"\ud800 {CARD}"}))


def test_an_interrupt_in_a_users_method_reaches_the_application():
    class Interrupts:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Redactor(SCAN).attributes({"a": Interrupts()})


def test_a_value_whose_method_uses_the_redactor_itself_is_read():
    redactor = Redactor(SCAN)

    class Nested:
        def __str__(self) -> str:
            return redactor.text(CARD) + str(redactor.attributes({"card": CARD}))

    left = redactor.attributes({"a": Nested(), "card": CARD})
    assert left == {"a": "[REDACTED:pan]{'card': '[REDACTED:pan]'}", "card": "[REDACTED:pan]"}


def test_threads_share_one_redactor():
    redactor, leaks = Redactor(SCAN), []

    def use(number: int) -> None:
        for index in range(200):
            left = redactor.attributes({f"key{number}.{index}": f"{index} {CARD}", "n": number})
            if left != {f"key{number}.{index}": f"{index} [REDACTED:pan]", "n": number}:
                leaks.append(left)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert leaks == []


def test_of_what_is_not_read_to_its_end_no_piece_of_a_value_comes_back():
    text = "x " * ((256 * 1024 - 12) // 2) + CARD
    left = Redactor(SCAN).attributes({"text": text, "n": 1})
    assert left == {"text": "x " * (120 * 1024), "n": 1}
    assert Redactor(SCAN).text(text) == text.replace(CARD, "[REDACTED:pan]")
