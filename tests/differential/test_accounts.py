"""Accounts and addresses of machines against python-stdnum, for every country of its registry."""

import random
import re
import string

import pytest
from stdnum import iban, mac, numdb

from fapilog.redaction import scan

SIGNS = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}
COUNTRIES = {entry[1]: entry[3]["bban"] for entry in numdb.get("iban").prefixes}


def account(country: str, pick: random.Random) -> str:
    """An account in the structure of the registry, with its check digits."""
    fields = re.findall(r"(\d+)!([nac])", COUNTRIES[country])
    body = "".join(pick.choice(SIGNS[kind]) for length, kind in fields for _ in range(int(length)))
    return country + iban.calc_check_digits(country + "00" + body) + body


def types(text: str) -> set[str]:
    return {one.type for one in scan(text)}


@pytest.mark.parametrize("country", COUNTRIES)
def test_an_account_of_any_country_is_found_without_a_word_in_one_piece_and_in_groups(country: str) -> None:
    pick = random.Random(country)
    for _ in range(5):
        number = account(country, pick)
        assert iban.is_valid(number, check_country=False)
        grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
        for written in (number, number.lower(), grouped):
            [found] = scan(f"to {written}, today")
            assert (found.start, found.end) == (3, 3 + len(written))
            # Four groups of an account may be a card number too, and that is the graver name.
            assert found.type in {"IBAN", "PAN"}


@pytest.mark.parametrize("country", COUNTRIES)
def test_an_account_with_another_check_digit_is_not_one(country: str) -> None:
    number = account(country, random.Random(country))
    wrong = number[:2] + f"{(int(number[2:4]) + 1) % 100:02}" + number[4:]
    assert not iban.is_valid(wrong, check_country=False)
    assert "IBAN" not in types(f"to {wrong}, today")


def test_a_hardware_address_is_found_in_the_spellings_of_the_library() -> None:
    pick = random.Random(1)
    for _ in range(50):
        parts = [f"{pick.randrange(256):02x}" for _ in range(6)]
        for written in (":".join(parts), "-".join(parts).upper()):
            assert mac.is_valid(written, validate_manufacturer=False)
            assert types(f"from {written} on") == {"MAC"}
    for wrong in ("0z:1b:44:11:3a:b7", "00:1b:44:11:3a"):
        assert not mac.is_valid(wrong)
        assert "MAC" not in types(f"from {wrong} on")
