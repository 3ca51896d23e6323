"""The scanner against python-stdnum: what the library takes is found beside its word, what it refuses is not.

Where they differ, `TAKEN_BY_US` or `REFUSED_BY_US` says why; a difference that is in neither fails.
"""

import random
from collections.abc import Callable
from itertools import islice

import pytest

from fapilog.redaction import Finding, scan
from tests.differential.numbers import NUMBERS, Number, numbers

COUNT = 60
BY_KIND = {number.kind: number for number in NUMBERS}


def is_belgian_of_2000(number: str) -> bool:
    return (97 - int("2" + number[:9]) % 97) == int(number[9:])


ITIN_GROUPS = {"93", *map(str, range(50, 66))}
# A number that the library refuses and we hide: why, by the library's reason to refuse it.
TAKEN_BY_US: dict[str, tuple[str, Callable[[str], bool]]] = {
    "BE_NRN": ("the sum is that of somebody born in a year to come", is_belgian_of_2000),
    "DK_CPR": ("born in a year to come", lambda n: n[6] in "456789" and int(n[4:6]) < 58),
    "FI_HETU": (
        "individual numbers from 900 are given to tests and to temporary persons",
        lambda n: n[7] == "9",
    ),
    "IT_CF": (
        "the sum holds, the day of the month does not exist",
        lambda n: int(n[9:11]) % 40 not in range(1, 32),
    ),
    "NO_FNR": ("both sums hold, the individual number is not one of its century", lambda _: True),
    "RO_CNP": ("the sum holds, the county does not exist", lambda n: int(n[7:9]) > 46),
    "US_ITIN": (
        "an ATIN (93), or of the groups that the IRS added (50 to 65)",
        lambda n: n[4:6] in ITIN_GROUPS,
    ),
}
# A number that the library takes and we leave.
REFUSED_BY_US: dict[str, tuple[str, Callable[[str], bool]]] = {
    "FR_NIR": ("no such department", lambda n: n[5:7] in {"00", "96"}),
    "LV_PK": (
        "the seventh digit is the century: 0 to 2, others would be born after 2100",
        lambda n: n[6] > "2",
    ),
    "US_ROUTING": (
        "the Federal Reserve gives no numbers with this beginning",
        lambda n: int(n[:2]) not in {*range(13), *range(21, 33), *range(61, 73), 80},
    ),
}


def verdicts(number: Number, text: str) -> list[tuple[str, list[Finding]]]:
    """What is found beside the word, and under the key."""
    return [("word", scan(f"{number.word} {text} seen")), ("key", scan("", {number.key: text}))]


def excused(found: list[Finding], number: Number, text: str) -> bool:
    """Whether what was found in a number that the library refuses is right anyway."""
    for one in found:
        known, judge = TAKEN_BY_US.get(one.type), BY_KIND.get(one.type)
        if (known and known[1](text)) or (judge and not judge.refused(text)):
            continue
        if one.type != "PAN":  # Luhn and a range of card numbers: the word does not speak against it.
            return False
    return True


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.kind)
def test_a_number_is_found_if_and_only_if_the_library_takes_it(number: Number) -> None:
    valid, differences = 0, []
    for text in islice(numbers(number, random.Random(number.kind)), COUNT):
        reason = number.refused(text)
        valid += not reason
        for where, found in verdicts(number, text):
            whole = any(one.end - one.start == len(text) for one in found)
            left = REFUSED_BY_US.get(number.kind)
            if not reason and not whole and not (left and left[1](text)):
                differences.append(f"missed: {text} by its {where}")
            elif reason and not excused(found, number, text):
                differences.append(f"found: {text} by its {where} ({reason}): {found}")
    assert differences == []
    assert valid >= COUNT // 4
