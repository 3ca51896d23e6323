"""How rare types are classified and read, and what a record makes of them."""

import collections
import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pydantic
import pytest

from fapilog.values import classify, to_plain
from tests.unit.recording import Recorder


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Items(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@dataclasses.dataclass
class Order:
    number: int
    note: str = dataclasses.field(default="hidden", repr=False)


class Model(pydantic.BaseModel):
    number: int
    key: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    note: str = pydantic.Field("hidden", repr=False)


class AttrsLike:
    """What attrs leaves on a class, without the package."""

    __attrs_attrs__ = (Order.__dataclass_fields__["number"], Order.__dataclass_fields__["note"])

    def __init__(self, number: int) -> None:
        self.number = number


class NumpyLike:
    __module__ = "numpy"

    def item(self) -> int:
        return 7


class NumpyArrayLike(NumpyLike):
    __module__ = "numpy"

    def __iter__(self) -> Iterator[int]:
        return iter([7])

    def __str__(self) -> str:
        return "[7]"


class Unreadable(dict[str, int]):
    def items(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "kind", "recorded"),
    [
        (pydantic.SecretStr("hunter2"), "secret", "[REDACTED:secret]"),
        (Colour.RED, "enum", "red"),
        (Level.HIGH, "enum", 3),
        (NumpyLike(), "numpy", 7),
        (NumpyArrayLike(), "text", "[7]"),
        (Order(1), "object", {"number": 1}),
        (Model(number=1), "object", {"number": 1, "key": "[REDACTED:secret]"}),
        (AttrsLike(1), "object", {"number": 1}),
        (Items(), "object", {"a": 1}),
        (collections.OrderedDict(b=1, a=2), "object", {"b": 1, "a": 2}),
        (Unreadable(a=1), "object", "<unprintable Unreadable>"),
        (Point(1, 2), "iterable", [1, 2]),
        (collections.deque([1]), "iterable", [1]),
        (frozenset([1]), "iterable", [1]),
        (b"raw", "bytes", b"raw"),
        (bytearray(b"raw"), "buffer", b"raw"),
        (memoryview(b"raw"), "buffer", b"raw"),
        (datetime.date(2020, 1, 2), "iso", "2020-01-02"),
        (datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), "iso", "2020-01-02T00:00:00+00:00"),
        (datetime.time(1, 2), "iso", "01:02:00"),
        (Text("text"), "str", "text"),
        (Number(3), "int", 3),
        (1 + 2j, "text", "(1+2j)"),
        (decimal.Decimal("1.50"), "text", "1.50"),
        (uuid.UUID(int=1), "text", "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "text", "/a/b"),
        (datetime.timedelta(seconds=1), "text", "0:00:01"),
        (2**64, "int", "18446744073709551616"),
    ],
)
def test_a_value_is_recorded_by_its_kind(value, kind, recorded):
    assert classify(type(value)) == kind
    with Recorder() as recorder:
        recorder.logger().info("x", value=value)
        assert recorder.only.attributes == {"value": recorded}


def test_to_plain_reads_a_dict_of_the_fields_without_converting_them():
    secret = pydantic.SecretStr("hunter2")
    assert to_plain(Model(number=1, key=secret)) == {"number": 1, "key": secret}
    assert to_plain(Order(2)) == {"number": 2}
    assert to_plain(Items()) == {"a": 1}


def test_a_field_that_was_never_set_is_left_out():
    order = Order.__new__(Order)
    assert to_plain(order) == {}


def test_what_refers_to_itself_is_recorded_once():
    inside: dict[str, object] = {"a": 1}
    inside["self"] = inside
    with Recorder() as recorder:
        recorder.logger().info("x", value=inside)
        assert recorder.only.attributes == {"value": {"a": 1, "self": "<cycle>"}}
