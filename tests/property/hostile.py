"""Values that break the code which reads them: methods that raise or lie, contents that change meanwhile."""

import collections
import dataclasses
import datetime
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar


class RefusalError(Exception):
    """What a hostile method raises."""


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise RefusalError("not today")


class RaisesEverywhere:
    __str__ = __repr__ = __hash__ = __eq__ = __len__ = __iter__ = __bool__ = __int__ = __float__ = refuse
    __index__ = __format__ = __getattr__ = __call__ = __contains__ = __getitem__ = __dir__ = refuse


class StrIsNoText:
    def __str__(self) -> Any:
        return 7  # noqa: PLE0307 - the lie


class Recursive:
    def __str__(self) -> str:
        return str(self)


class RaisingMapping(Mapping[str, Any]):
    __getitem__ = __iter__ = __len__ = items = refuse


class ItemsAreNoPairs(dict[str, Any]):
    def items(self) -> Any:
        return [1, 2]


class RaisingDict(dict[str, Any]):
    items = __iter__ = keys = __len__ = refuse


class RaisingList(list[Any]):
    __iter__ = __getitem__ = refuse


class RaisingSet(set[Any]):
    __iter__ = __len__ = refuse


class LyingLength(list[Any]):
    def __len__(self) -> int:
        return 10**15


class RaisingText(str):
    __str__ = __repr__ = __len__ = __iter__ = encode = __format__ = __bool__ = refuse


class RaisingInt(int):
    __str__ = __repr__ = __index__ = __int__ = __bool__ = refuse


class RaisingFloat(float):
    __str__ = __repr__ = __float__ = __bool__ = refuse


class RaisingBytes(bytes):
    __bytes__ = __len__ = __iter__ = refuse


class RaisingBytearray(bytearray):
    __bytes__ = __len__ = __iter__ = refuse


class RaisingMoment(datetime.datetime):
    isoformat = __str__ = refuse


class MomentOfNoText(datetime.datetime):
    def isoformat(self, *args: Any, **kwargs: Any) -> Any:
        return None


class RaisingEnum(enum.Enum):
    ONE = 1

    @property
    def value(self) -> Any:
        return refuse()


class FieldsAreNone:
    __dataclass_fields__ = None


class AttrsAreSeven:
    __attrs_attrs__ = 7


class ModelFieldsAreNone:
    model_fields = None


class RaisingModel:
    @dataclasses.dataclass
    class _Field:
        repr: bool = True

    model_fields: ClassVar[Any] = {"name": _Field()}
    name = property(refuse)
    model_dump = refuse


class RaisingMeta(type):
    def __getattr__(cls, name: str) -> Any:
        return refuse()


class OfRaisingMeta(metaclass=RaisingMeta):
    pass


class ClaimsToBeText:
    __class__ = str  # type: ignore[assignment]


class NumpyScalar:
    def item(self) -> Any:
        return refuse()


class NumpyOfItself:
    def item(self) -> Any:
        return self


for _kind in (NumpyScalar, NumpyOfItself):
    _kind.__module__ = "numpy"


class ChangesItsContainer:
    """Empties the container it is in while it is read."""

    def __init__(self, container: Any) -> None:
        self.container = container

    def __str__(self) -> str:
        self.container.clear()
        return "changed"


def changing_dict() -> dict[str, Any]:
    container: dict[str, Any] = {}
    container |= {"a": ChangesItsContainer(container), "b": 1}
    return container


def changing_list() -> list[Any]:
    container: list[Any] = []
    container += [1, ChangesItsContainer(container), 3]
    return container


def growing_list() -> list[Any]:
    class Grows:
        def __str__(self) -> str:
            if len(container) < 50:
                container.append(self)
            return "grown"

    container: list[Any] = [Grows()]
    return container


def released_view() -> memoryview:
    view = memoryview(b"gone")
    view.release()
    return view


def deeply_nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(20_000):
        value = [value]
    return value


def unprintable(kind: type) -> str:
    return f"<unprintable {kind.__name__}>"


def at_depth_30(value: Any) -> Any:
    for _ in range(29):
        value = [value]
    return value


# Name: how to make the value, and what it becomes.
VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "every method raises": (RaisesEverywhere, unprintable(RaisesEverywhere)),
    "__str__ gives a number": (StrIsNoText, unprintable(StrIsNoText)),
    "__str__ recurses": (Recursive, unprintable(Recursive)),
    "mapping raises": (RaisingMapping, unprintable(RaisingMapping)),
    "items are no pairs": (ItemsAreNoPairs, unprintable(ItemsAreNoPairs)),
    "dict raises": (RaisingDict, unprintable(RaisingDict)),
    "list raises": (lambda: RaisingList([1]), unprintable(RaisingList)),
    "set raises": (RaisingSet, unprintable(RaisingSet)),
    "length lies": (lambda: LyingLength([1, 2]), None),
    "text raises": (lambda: RaisingText("kept"), "kept"),
    "int raises": (lambda: RaisingInt(7), 7),
    "large int raises": (lambda: RaisingInt(2**70), hex(2**70)),
    "float raises": (lambda: RaisingFloat(0.5), 0.5),
    "bytes raise": (lambda: RaisingBytes(b"kept"), b"kept"),
    "bytearray raises": (lambda: RaisingBytearray(b"x"), unprintable(RaisingBytearray)),
    "memoryview was released": (released_view, "<unprintable memoryview>"),
    "isoformat raises": (lambda: RaisingMoment(2026, 1, 1), unprintable(RaisingMoment)),
    "isoformat gives None": (lambda: MomentOfNoText(2026, 1, 1), unprintable(MomentOfNoText)),
    "value of the enum raises": (lambda: RaisingEnum.ONE, unprintable(RaisingEnum)),
    "dataclass fields are None": (FieldsAreNone, unprintable(FieldsAreNone)),
    "attrs fields are seven": (AttrsAreSeven, unprintable(AttrsAreSeven)),
    "model fields are None": (ModelFieldsAreNone, unprintable(ModelFieldsAreNone)),
    "model raises": (RaisingModel, unprintable(RaisingModel)),
    "numpy item raises": (NumpyScalar, unprintable(NumpyScalar)),
    "dict changes while it is read": (changing_dict, {"a": "changed", "b": 1}),
    "list changes while it is read": (changing_list, [1, "changed"]),
    "list grows while it is read": (growing_list, ["grown"] * 50),
    "nested without end": (deeply_nested, at_depth_30([None])),
    "deque raises nothing": (lambda: collections.deque([1]), [1]),
}
# What these become is nobody's promise; that they do no harm is.
OTHERS: dict[str, Callable[[], Any]] = {
    "metaclass raises": OfRaisingMeta,
    "claims to be text": ClaimsToBeText,
    "numpy item is itself": NumpyOfItself,
    "class raises": lambda: OfRaisingMeta,
    "module": lambda: dataclasses,
    "NotImplemented": lambda: NotImplemented,
    "keys collide": lambda: {1: "a", "1": "b", 1.5: "c"},
    "keys raise": lambda: {HashableUnprintable(): 1},
    "large list": lambda: list(range(200_000)),
    "large dict": lambda: {str(n): [n] for n in range(50_000)},
    "long text": lambda: "\u20ac" * 10_000_000,
    "long bytes": lambda: bytes(10_000_000),
    "long int": lambda: 10**100_000,
    "many long texts": lambda: ["y" * 10_000] * 1_000,
    "wide and deep": lambda: [[[[list(range(30))] * 20] * 20] * 20],
}


class HashableUnprintable:
    __str__ = refuse


class Says:
    """Raises a given exception from each method that capture may call."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


class SaysInItems(Says, Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise self.error

    def __iter__(self) -> Iterator[str]:
        raise self.error

    def __len__(self) -> int:
        raise self.error

    def items(self) -> Any:
        raise self.error


class SaysInIter(list[Any]):
    error: BaseException

    def __iter__(self) -> Iterator[Any]:
        raise self.error


def says_in_iter(error: BaseException) -> SaysInIter:
    value = SaysInIter()
    value.error = error
    return value


class SaysInIso(datetime.datetime):
    error: BaseException

    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        raise self.error


def says_in_iso(error: BaseException) -> SaysInIso:
    value = SaysInIso(2026, 1, 1)
    value.error = error
    return value
