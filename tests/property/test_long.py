"""The long run, `pytest -m long tests/property`: a million records, each compared with the reference."""

import datetime
import decimal
import random
import uuid
from collections import deque
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.property import reference
from tests.property.conftest import NOW, Bench
from tests.property.hostile import VALUES
from tests.property.values import (
    SPECIAL_INTS,
    SPECIAL_TEXT,
    Colour,
    Order,
    Plain,
    Point,
    Text,
    Unprintable,
    View,
)

RECORDS = 1_000_000
RESERVED = {"exc_info", "event_name", "category", "severity", "tags", "timestamp"}
HOSTILE = [make for make, _ in VALUES.values()]


def any_text(source: random.Random) -> str:
    if source.random() < 0.2:
        return source.choice(SPECIAL_TEXT)
    return "".join(
        chr(source.choice([97, 0x20, 0xE9, 0x20AC, 0xDC00, 0x1F600])) for _ in range(source.randrange(20))
    )


def leaf(source: random.Random) -> Any:
    match source.randrange(14):
        case 0 | 1 | 2:
            return any_text(source)
        case 3:
            return source.choice(SPECIAL_INTS)
        case 4 | 5:
            return source.getrandbits(source.randrange(1, 70)) * source.choice([1, -1])
        case 6:
            return source.choice([0.0, -0.0, float("nan"), float("inf"), source.random(), 1e308])
        case 7:
            return source.choice([None, True, False, Ellipsis, *Colour])
        case 8:
            return source.randbytes(source.randrange(20))
        case 9:
            return datetime.datetime.fromtimestamp(source.randrange(2**31), datetime.UTC)
        case 10:
            return decimal.Decimal(source.randrange(10**6)).scaleb(-3)
        case 11:
            return uuid.UUID(int=source.getrandbits(128))
        case 12:
            return Text(any_text(source))
        case _:
            return source.choice([Plain, Unprintable])()


def any_value(source: random.Random, depth: int = 0) -> Any:
    if depth > 4 or source.random() < 0.6:
        return leaf(source)
    items = [any_value(source, depth + 1) for _ in range(source.randrange(4))]
    mapping = {any_text(source): item for item in items}
    point = Point(items, mapping)
    return source.choice([items, tuple(items), deque(items), mapping, View(mapping), point, Order(1, items)])


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_a_million_generated_records_equal_the_reference_and_the_ledger_balances(bench: Bench):
    source = random.Random(20_261_121)
    before = bench.provider.ledger().accepted
    for number in range(RECORDS):
        body = any_value(source)
        attributes = {any_text(source): any_value(source) for _ in range(source.randrange(4))}
        kept = {name: value for name, value in attributes.items() if name not in RESERVED}
        bench.log.info(body, **kept)
        wanted = LogRecord(
            time_unix_nano=NOW,
            observed_time_unix_nano=NOW,
            severity_number=9,
            severity_text="INFO",
            body=reference.any_value(body),
            attributes=reference.key_values(kept.items()),
        )
        [encoded] = bench.encoded
        bench.encoded.clear()
        ours = LogRecord.FromString(encoded)
        same = ours.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)
        assert same or wanted.ByteSize() > 60_000, f"record {number}: {ours}\n---- expected\n{wanted}"
    ledger = bench.provider.ledger()
    assert (ledger.accepted - before, ledger.balanced) == (RECORDS, True)


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_a_hundred_thousand_hostile_values_do_no_harm(bench: Bench):
    source = random.Random(20_261_121)
    before = bench.provider.ledger().accepted
    cheap = [make for make in HOSTILE if make.__name__ not in ("deeply_nested", "Recursive")]
    for _ in range(100_000):
        bench.log.info(source.choice(cheap)(), a=source.choice(cheap)(), b=[source.choice(cheap)()])
        [encoded] = bench.encoded
        bench.encoded.clear()
        LogRecord.FromString(encoded)
    ledger = bench.provider.ledger()
    assert (ledger.accepted - before, ledger.balanced) == (100_000, True)
