"""What a standard forbids to do with values, whoever asks for it: settings, profiles, rules, destinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fapilog.errors import ConfigurationError, Problem

FORBIDDEN = "policy-forbidden"
HASHED = "hash-without-key"

# What a card's owner and its bank share must not be stored after the payment, in no form (PCI DSS 3.3.1).
ONLY_REMOVED = frozenset({"CARD_TRACK", "CVV", "PIN_BLOCK"})
_GONE = frozenset({"remove", "drop"})
_HASHES = ("hash", "md5", "sha", "blake", "xxh", "murmur", "crc32", "fingerprint", "digest")
_CODES = frozenset({"token", "seal"})
_SHORTER = frozenset({"mask", "truncate"})
# PCI DSS 3.4.1 and 3.5.1 with FAQ 1091: what may be seen of a card number.
MOST_FIRST, MOST_LAST = 6, 4


class Refusal(NamedTuple):
    """Why an action must not be.

    Attributes:
        code: Of the error.
        clause: Completes "redaction.actions ...".
        do: Completes "set redaction.actions to ...".
    """

    code: str
    clause: str
    do: str


def refusal(kind: str, written: str) -> Refusal | None:
    """Return why this action of this type must not be; None: nothing speaks against it.

    Args:
        kind: Id of the type, such as `PAN`.
        written: The action as people write it, such as `mask:4`.

    Example:
        >>> refusal("CVV", "seal").clause
        'lets a part of CVV through, which PCI DSS 3.3.1 forbids to store in any form'
        >>> refusal("EMAIL", "token") is None
        True
    """
    name, *rest = written.strip().lower().split(":")
    if kind in ONLY_REMOVED and name not in _GONE:
        clause = f"lets a part of {kind} through, which PCI DSS 3.3.1 forbids to store in any form"
        return Refusal("setting-invalid", clause, f"{kind}=remove, or leave {kind} out")
    if name.startswith(_HASHES):
        return _hashed(kind, name)
    if kind != "PAN" or not all(part.isdecimal() for part in rest):
        return None
    numbers = [int(part) for part in rest]
    if name == "mask" and numbers and numbers[0] > MOST_LAST:
        clause = f"shows more of PAN than its last {MOST_LAST} digits (PCI DSS 3.4.1)"
        return Refusal("setting-invalid", clause, f"PAN=mask:{MOST_LAST} or PAN=truncate:6:4")
    if name == "truncate" and len(numbers) == 2 and (numbers[0] > MOST_FIRST or numbers[1] > MOST_LAST):
        clause = f"keeps more of PAN than its first {MOST_FIRST} and last {MOST_LAST} digits (PCI DSS 3.5.1)"
        return Refusal("setting-invalid", clause, "PAN=truncate:6:4 or less")
    return None


def _hashed(kind: str, name: str) -> Refusal:
    clause = f"asks for {name} of {kind}: a hash without a key is undone by trying all values"
    if kind == "PAN":
        clause += ", and PCI DSS 3.5.1.1 asks for a keyed one"
    return Refusal(HASHED, clause, f"{kind}=token, which joins as well and needs a key")


def check_policy(
    policies: Mapping[str, Mapping[str, str]], shortened: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Refuse what must not be in one policy, or in several that the same records meet.

    Args:
        policies: By a name for people (`redaction`, `exporter audit`): actions as people write them, by type.
            Types that are removed may be left out.
        shortened: By the same names: rules of the user that leave a part of card numbers.

    Raises:
        ConfigurationError: `policy-forbidden` or `hash-without-key`, one problem for each.

    Example:
        >>> check_policy({"redaction": {"PAN": "token"}, "exporter audit": {"PAN": "mask:4"}})
        Traceback (most recent call last):
        fapilog.errors.ConfigurationError: PAN is a token or sealed in redaction and shortened in exporter \
audit: together they tell more than each (note of PCI DSS 3.5.1) [policy-forbidden]
          do: choose one of the two for all of them, or remove PAN in one
          see: docs/reference/errors.md#policy-forbidden
    """
    problems = [*_single(policies), *_together(policies, shortened or {})]
    if problems:
        raise ConfigurationError(problems)


def _single(policies: Mapping[str, Mapping[str, str]]) -> Iterator[Problem]:
    for place, actions in policies.items():
        for kind, written in actions.items():
            refused = refusal(kind, written)
            if refused is not None:
                code = HASHED if refused.code == HASHED else FORBIDDEN
                yield Problem(code, f"{place} {refused.clause}", (), f"use {refused.do}")


def _together(
    policies: Mapping[str, Mapping[str, str]], rules: Mapping[str, tuple[str, ...]]
) -> Iterator[Problem]:
    coded = [place for place, actions in policies.items() if _name(actions) in _CODES]
    shorter = [place for place, actions in policies.items() if _name(actions) in _SHORTER]
    # A rule of the common policy is one of each exporter too; it is named once.
    named = dict.fromkeys(name for names in rules.values() for name in names)
    shorter += [f"the rule {name}" for name in named]
    if coded and shorter:
        clause = (
            f"PAN is a token or sealed in {', '.join(coded)} and shortened in {', '.join(shorter)}:"
            " together they tell more than each (note of PCI DSS 3.5.1)"
        )
        yield Problem(FORBIDDEN, clause, (), "choose one of the two for all of them, or remove PAN in one")


def _name(actions: Mapping[str, str]) -> str:
    return actions.get("PAN", "remove").strip().lower().partition(":")[0]
