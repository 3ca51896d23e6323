"""No card number leaves by a log call: never more of one than its first six and last four digits."""

import itertools
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.property.conftest import Bench

NETWORKS = (("4", 16), ("4", 13), ("4", 19), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16), ("36", 14))
ACTIONS = ("remove", "mask:4", "truncate:6:4", "truncate:0:4")
SEPARATORS = ("", " ", "-", "\N{NO-BREAK SPACE}", "\N{THIN SPACE}", "\N{ZERO WIDTH SPACE}")
# How cards are printed, by the number of digits.
GROUPS = {13: (4, 3, 3, 3), 14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}
# So many digits in a row belong to nothing that an action may keep: it keeps six at most on one side.
TOO_MANY = 7


def check_digit(digits: str) -> str:
    """The last digit of a card number (Luhn)."""
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(digits))]
    return str(-sum(number // 10 + number % 10 for number in doubled) % 10)


@st.composite
def cards(draw: st.DrawFn) -> str:
    """A valid number, of digits so various that seven of them stand nowhere by chance."""
    start, length = draw(st.sampled_from(NETWORKS))
    rest = draw(
        st.text("0123456789", min_size=length, max_size=length).filter(lambda text: len(set(text)) > 5)
    )
    digits = (start + rest)[: length - 1]
    return digits + check_digit(digits)


def groups(card: str) -> list[str]:
    """The number as it is printed."""
    ends = itertools.accumulate(GROUPS[len(card)], initial=0)
    return [card[start:end] for start, end in itertools.pairwise(ends)]


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A number, and how somebody wrote it."""
    card = draw(cards())
    text = draw(st.sampled_from(SEPARATORS)).join(groups(card))
    match draw(st.integers(0, 5)):
        case 0:
            text = "".join(chr(ord(sign) + 0xFEE0) if sign.isdigit() else sign for sign in text)
        case 1 if text.isascii():
            text = quote(text)
        case 2:
            text = json.dumps({"card": text})
        case 3:
            text = json.dumps(json.dumps({"card": text}, ensure_ascii=False))
        case _:
            pass
    return card, text


def strings(value: Any) -> Iterator[str]:
    """Every text in an AnyValue or a KeyValue, lists joined, numbers as text."""
    match value.WhichOneof("value") if hasattr(value, "WhichOneof") else None:
        case "array_value":
            yield "".join(text for one in value.array_value.values for text in strings(one))
        case "kvlist_value":
            for pair in value.kvlist_value.values:
                yield pair.key
                yield from strings(pair.value)
        case "bytes_value":
            yield value.bytes_value.decode("utf-8", "replace")
        case None:
            return
        case name:
            yield str(getattr(value, name))


def plain(text: str) -> str:
    """Letters and digits as a reader reads them; what truncation leaves out parts the digits around it."""
    text = re.sub(r"%[0-9A-F]{2}", "", unicodedata.normalize("NFKC", text.replace("...", "#")))
    return "".join(sign for sign in text if sign.isalnum() or sign == "#")


def kept(record: LogRecord, card: str) -> list[str]:
    """The parts of the record that hold too much of the number."""
    texts = [record.event_name, *strings(record.body)]
    for pair in record.attributes:
        texts += [pair.key, *strings(pair.value)]
    parts = [card[at : at + TOO_MANY] for at in range(len(card) - TOO_MANY + 1)]
    return [text for text in texts if any(part in plain(text) for part in parts)]


@pytest.fixture(scope="module", params=ACTIONS)
def scanning(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(redaction={"mode": "scan", "actions": {"PAN": request.param}})
    yield made
    made.provider.shutdown()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(spelled=spellings())
def test_no_carrier_keeps_more_of_a_card_number_than_six_and_four(
    scanning: Bench, spelled: tuple[str, str]
) -> None:
    card, text = spelled
    log = scanning.log
    error = ValueError(f"declined {text}")
    error.add_note(text)
    log.info(f"paid {text} now", exc_info=error, event_name=f"paid {text}")
    log.info("x", a=text, b=[text, {"c": (text, text.encode())}], **{text: 1})
    log.info("x", number=int(card), parts=groups(card), card=text)
    log.info("%s", text)
    log.bind(bound=text).info({"body": [text, {"deep": text, text: "key"}]})
    records = scanning.take()
    assert len(records) == 5
    assert [kept(record, card) for record in records] == [[]] * 5


def test_without_scanning_it_would_be_seen(bench: Bench) -> None:
    card = "4539" + "148803436467"
    bench.log.info(f"paid {card}", parts=[card[:8], card[8:]])
    assert len(kept(bench.one(), card)) == 2
