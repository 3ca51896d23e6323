"""Strategies for Python values as applications log them, and for those that nobody expects."""

import collections
import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pydantic
from hypothesis import strategies as st

# One list for two uses: keys of maps, and values.
SPECIAL_TEXT = [
    "",
    "\ud800",
    "a\udfffb",
    "\x00",
    "caf\xe9",
    "\U0001f600",
    "x" * 127,
    "\xe9" * 128,
    "\u20ac" * 129,
    "https://user:pass@host/path?q=1",
    "postgres://u:p@h1 and redis://:pw@h2:6379/0",
    "mailto:a@b",
    "://@",
    "://a@b@c",
]
SPECIAL_INTS = [0, -1, 127, 128, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64]


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, "two")
    NOTHING = None


class Number(enum.IntEnum):
    ONE = 1


class Flag(enum.IntFlag):
    READ = 4
    WRITE = 2


class Word(enum.StrEnum):
    HELLO = "hello"


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Order:
    number: Any
    note: Any
    token_count: int = 3
    hidden: str = dataclasses.field(default="never shown", repr=False)
    password: str = "hunter2"


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    value: Any


class Model(pydantic.BaseModel):
    name: str
    payload: Any = None
    key: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    unseen: str = pydantic.Field("never shown", repr=False)


class View(Mapping[Any, Any]):
    """A mapping that is no dict."""

    def __init__(self, inner: dict[Any, Any]) -> None:
        self.inner = inner

    def __getitem__(self, key: Any) -> Any:
        return self.inner[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not the text"


class Int(int):
    pass


class Float(float):
    pass


class Dict(dict[Any, Any]):
    pass


class List(list[Any]):
    pass


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no text for you")


class Plain:
    def __str__(self) -> str:
        return "plain\ud800"


texts = st.text() | st.text(st.characters()) | st.sampled_from(SPECIAL_TEXT)
# Above 4300 digits, Python refuses to write an int in decimal.
long_ints = st.sampled_from([4298, 4299, 4300, 5000]).map(lambda zeros: -(10**zeros))
ints = st.integers() | st.integers(-(2**66), 2**66) | st.sampled_from(SPECIAL_INTS) | long_ints
common_leaves = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()
)
enums = st.sampled_from([*Colour, *Number, *Flag, Flag.READ | Flag.WRITE, *Word])
hashable = (
    texts
    | ints
    | st.none()
    | st.booleans()
    | st.floats()
    | st.binary()
    | st.dates()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | enums
    | st.tuples(st.integers(), st.text())
)
leaves = (
    hashable
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.times()
    | st.timedeltas()
    | st.fractions()
    | st.decimals()
    | st.complex_numbers()
    | st.binary().map(bytearray)
    | st.binary().map(memoryview)
    | st.binary(min_size=4, max_size=4).map(lambda data: memoryview(data)[::2])
    | texts.map(Text)
    | ints.map(Int)
    | st.floats().map(Float)
    | st.builds(Unprintable)
    | st.builds(Plain)
    | st.builds(object).map(lambda _: Ellipsis)
    | st.text().map(pydantic.SecretStr)
    | st.sets(hashable, max_size=4)
    | st.frozensets(hashable, max_size=4)
    | st.builds(range, st.integers(0, 9))
)
# Subclasses of str have a test of their own: as keys they are not encoded by their text yet.
keys = texts | texts.map(Text) | hashable | st.builds(Plain) | st.builds(Unprintable)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    dicts = st.dictionaries(keys, inner, max_size=4)
    lists = st.lists(inner, max_size=4)
    return (
        dicts
        | lists
        | dicts.map(Dict)
        | dicts.map(collections.OrderedDict)
        | dicts.map(View)
        | lists.map(tuple)
        | lists.map(List)
        | lists.map(collections.deque)
        | st.builds(Point, inner, inner)
        | st.builds(Order, inner, inner)
        | st.builds(Slotted, inner)
        | st.builds(Model, name=st.text(), payload=inner)
        | inner.map(nested_deeply)
        | lists.map(with_itself)
    )


def nested_deeply(value: Any) -> Any:
    """Return the value inside about as many containers as the limit allows."""
    for level in range(28):
        value = [value] if level % 3 else {"level": value}
    return value


def with_itself(value: list[Any]) -> list[Any]:
    """Return the list with itself inside, directly and through others."""
    value.append(value)
    value.append({"again": (value,)})
    return value


values = st.recursive(leaves, _containers, max_leaves=12)
common_values = st.recursive(
    common_leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
