"""What is worked out once for a key that may come from outside: bounded in number and in size.

A full memory begins anew, so that nobody can fill it for good with keys that never come again.
Thread: caller.
"""

from __future__ import annotations

from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

# Names of hosts have at most 255; templates and names of parameters are shorter.
LONGEST = 256
MOST = 1_024


def remember(known: dict[_Key, _Value], key: _Key, value: _Value, size: int) -> None:
    """Keep a value, unless its key is too long.

    Args:
        known: Where.
        key: Of the value.
        value: What was worked out.
        size: How many characters or bytes of the key, and of the value, come from outside.

    Example:
        >>> known = {}
        >>> remember(known, "shop.example", 1, 12), remember(known, "a" * 60_000, 2, 60_000), known
        (None, None, {'shop.example': 1})
    """
    if size <= LONGEST:
        if len(known) >= MOST:
            known.clear()
        known[key] = value
