"""Rules of users that shorten card numbers: by their pattern, their words, or the names of their paths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fapilog import _native

if TYPE_CHECKING:
    from fapilog.settings.redaction_rules import RedactionRule

_SHORTER = frozenset({"mask", "truncate"})
# Numbers that the brands publish for tests, as people write them.
_CARDS = tuple(
    separator.join(parts)
    for parts in (
        ("4111", "1111", "1111", "1111"),
        ("5555", "5555", "5555", "4444"),
        ("6011", "1111", "1111", "1117"),
        ("3782", "822463", "10005"),
    )
    for separator in ("", " ", "-")
)
_NAMES = re.compile(
    r"(credit|debit|payment)?card(number|num|no|nr)?|(cc|acct|card)(number|num|no|nr)"
    r"|(creditcard|payment)?pan|primaryaccountnumber"
)


def shortens_cards(rule: RedactionRule) -> bool:
    r"""Tell whether a rule leaves a part of card numbers: it finds some, or says their names, and shortens.

    A rule about a place whose name says nothing of cards is not known to hold them.

    Args:
        rule: Of the user.

    Example:
        >>> from fapilog.settings.redaction_rules import RedactionRule
        >>> shortens_cards(RedactionRule(name="card", pattern=r"\d{16}", action="truncate:6:4"))
        True
        >>> shortens_cards(RedactionRule(name="ticket", pattern=r"TCK-\d{6}", action="mask:2"))
        False
    """
    if rule.action.partition(":")[0] not in _SHORTER:
        return False
    if rule.paths:
        return any(_is_of_cards(path) for path in rule.paths)
    scanner = _native.Scanner({"values": None, "rules": [rule.native()], "minimise": None, "exempt": []})
    return any(scanner.scan(card) for card in _CARDS)


def _is_of_cards(path: str) -> bool:
    """Whether the last names of a path, joined, are a name of card numbers: `card.number`, `*.PAN`."""
    names = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in path.split(".")]
    named = [name for name in names if name]
    return any(_NAMES.fullmatch("".join(named[-count:])) for count in (1, 2) if named)
