"""Which of two actions lets less through."""

from __future__ import annotations

from typing import NamedTuple

# From what lets nothing through to what lets all through. Actions of one rank differ by what they keep.
ORDER = (("drop",), ("remove",), ("truncate", "mask", "generalise"), ("token",), ("seal",), ("keep",))
_RANKS = {name: rank for rank, names in enumerate(ORDER) for name in names}


class Strictness(NamedTuple):
    """A place in the order of actions; the smaller one lets less through.

    Attributes:
        rank: Position in `ORDER`.
        kept: Characters that stay, where the action says so.
    """

    rank: int
    kept: int


def is_known(action: str) -> bool:
    """Tell whether the first word of an action is one of `ORDER`."""
    return _name(action) in _RANKS


def strictness(action: str) -> Strictness:
    """Return the place of an action.

    Args:
        action: As in `redaction.actions`, such as `truncate:6:4`.

    Raises:
        KeyError: It does not exist.

    Example:
        >>> strictness("remove") < strictness("truncate:0:4") < strictness("truncate:6:4")
        True
    """
    name, *numbers = action.split(":")
    kept = sum(int(number) for number in numbers if number.isdecimal())
    return Strictness(_RANKS[_name(name)], kept if name in {"truncate", "mask"} else 0)


def strictest(*actions: str) -> str:
    """Return the action that lets least through; of equal ones the first."""
    return min(actions, key=strictness)


def is_weaker(action: str, bound: str) -> bool:
    """Tell whether an action lets more through than another one.

    Example:
        >>> is_weaker("keep", "truncate:0:4"), is_weaker("remove", "truncate:0:4")
        (True, False)
    """
    return strictness(action) > strictness(bound)


def _name(action: str) -> str:
    return action.partition(":")[0].strip().lower()
