"""What stage 3 would hide in a text and in attributes, told instead of done: `fapilog.redaction.scan`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from fapilog import _native
from fapilog.redaction.given import GivenPolicy, policy_given
from fapilog.settings.redaction import RedactionSettings


class Finding(NamedTuple):
    """A sensitive value.

    Attributes:
        path: `text`, or `attributes.` with the path of the key.
        start: First code point of the value.
        end: First code point behind it.
        type: Its type, such as `PAN`, or the name of a rule of yours.
        rule: What found it: a rule of the scanner, or yours.
    """

    path: str
    start: int
    end: int
    type: str
    rule: str


def scan(
    text: str, attributes: Mapping[str, Any] | None = None, *, settings: GivenPolicy = None
) -> list[Finding]:
    """Find what the engine would hide in a message and its attributes.

    Offsets count code points; a number counts as its decimal text.

    Args:
        text: A message.
        attributes: What was logged with it, nested as it is.
        settings: The policy, or the name of its mode; by default `scan` as it comes.

    Returns:
        The findings, in order, without overlaps in one text.

    Example:
        >>> scan("card 4111 1111 1111 1111", {"order": 42})
        [Finding(path='text', start=5, end=24, type='PAN', rule='pan.luhn')]
    """
    found = _scanner(policy_given(settings, "scan")).scan(
        text, None if attributes is None else dict(attributes)
    )
    return [Finding(*one) for one in found]


@lru_cache(maxsize=8)
def _scanner(settings: RedactionSettings) -> _native.Scanner:
    return scanner_of(settings)


def scanner_of(settings: RedactionSettings) -> _native.Scanner:
    """Return what finds all that a policy looks for. It needs no keys: who only looks needs no actions."""
    values = settings.native()
    if values is not None:
        values |= {"actions": []}
    return _native.Scanner({"values": values, **settings.native_rules()})
