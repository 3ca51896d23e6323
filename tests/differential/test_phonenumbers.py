"""Telephone numbers against phonenumbers (libphonenumber): every region's examples, and what cannot be one.

The scanner knows lengths and shapes, not the plan of each country: behind a plus it hides numbers that the
library would not call valid. It must not leave one that the library does, of the lengths below.
"""

import random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from fapilog.redaction import scan

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
FORMATS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL)


def examples(region: str) -> list[phonenumbers.PhoneNumber]:
    """The library's examples of a region."""
    found = [phonenumbers.example_number_for_type(region, kind) for kind in KINDS]
    return [number for number in found if number is not None]


def types(text: str, attributes: dict[str, str] | None = None) -> set[str]:
    return {one.type for one in scan(text, attributes)}


# Too short to tell: behind a plus without a word, and without a plus even under a key that says what it is.
SHORTEST_WITH_CODE = 8
SHORTEST_NATIONAL = 7


def is_hidden(written: str, text: str, attributes: dict[str, str] | None = None) -> bool:
    """Whether all digits are inside of findings, of whichever type: `+688 90 1234` ends like a US number."""
    path, start = ("text", text.index(written)) if text else ("attributes.customer.phone", 0)
    inside: set[int] = set()
    for one in scan(text, attributes):
        inside |= set(range(one.start, one.end)) if one.path == path else set()
    return all(start + at in inside for at, sign in enumerate(written) if sign.isdigit())


def digits(written: str) -> int:
    return sum(sign.isdigit() for sign in written)


@pytest.mark.parametrize("region", REGIONS)
def test_the_examples_of_a_region_are_found(region: str) -> None:
    left = []
    for number in examples(region):
        for form in FORMATS:
            written = phonenumbers.format_number(number, form)
            assert is_hidden(written, f"phone {written} today")
            if digits(written) >= SHORTEST_WITH_CODE and not is_hidden(written, f"called {written} today"):
                left.append(written)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        if digits(national) >= SHORTEST_NATIONAL and not is_hidden(
            national, "", {"customer.phone": national}
        ):
            left.append(f"{national} by its key")
    assert left == []


@pytest.mark.parametrize("written", ["+1234567", "+38300000000000000000000"])
def test_what_is_too_short_or_too_long_for_the_library_is_left(written: str) -> None:
    assert not phonenumbers.is_possible_number(phonenumbers.parse(written[:18]))
    assert "PHONE" not in types(f"offset {written} read")


def test_north_american_numbers_agree_with_the_library_about_areas() -> None:
    """`NXX-NXX-XXXX`: an area or an exchange begins with 2 to 9."""
    pick = random.Random(3)
    differences = []
    for _ in range(300):
        area, exchange, rest = (f"{pick.randrange(10**size):0{size}}" for size in (3, 3, 4))
        written = f"{area}-{exchange}-{rest}"
        valid = phonenumbers.is_valid_number(phonenumbers.parse(written, "US"))
        found = "PHONE" in types(f"call {written} back")
        # The plan keeps N11 for services such as 911; the library lets it pass as an exchange.
        if (
            valid != found
            and not (valid and exchange.endswith("11"))
            and not (found and plausible(area, exchange))
        ):
            differences.append(written)
    assert differences == []


def plausible(area: str, exchange: str) -> bool:
    """Whether the plan allows it, assigned or not."""
    return area[0] not in "01" and exchange[0] not in "01"
