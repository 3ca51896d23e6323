"""Settings of stage 3: what is hidden before a record is stored anywhere, and what stands in its place."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, Field

from fapilog import _native
from fapilog.settings.redaction_rules import (
    ALLOWED_KEYS_FIELD,
    MINIMISE_FIELD,
    RULES_FIELD,
    AllowedKeys,
    RedactionRules,
    native_rules,
)
from fapilog.settings.types import Flag, FrozenDict, Group, NamePairs, Names, refuse

KINDS = {kind[0]: kind for kind in _native.scan_kinds()}
# What a card's owner and its bank share must not be stored after the payment, in no form (PCI DSS 3.3.1).
_ONLY_REMOVED = frozenset({"CARD_TRACK", "CVV", "PIN_BLOCK"})
_COARSER = frozenset({"ADDRESS", "DATE_OF_BIRTH", "GEO", "IPV4", "IPV6"})
_FORMS = "remove, keep, drop, mask:4, truncate:6:4 (PAN) or generalise"


class Action(NamedTuple):
    """What is done with values of one type.

    Attributes:
        name: `remove`, `keep`, `drop`, `mask`, `truncate` or `generalise`.
        numbers: Characters that stay: `mask` the last, `truncate` the first and the last.
    """

    name: str
    numbers: tuple[int, ...] = ()


def action(kind: str, written: str) -> Action:
    """Read one action of `redaction.actions`.

    Args:
        kind: Id of the type, such as `PAN`.
        written: The action, such as `truncate:6:4`.

    Raises:
        PydanticCustomError: It does not exist, or not for this type.

    Example:
        >>> action("PAN", "truncate:6:4")
        Action(name='truncate', numbers=(6, 4))
    """
    name, *rest = written.strip().lower().split(":")
    if kind not in KINDS:
        raise refuse(f"names a type that does not exist: {kind}", f"types among {', '.join(sorted(KINDS))}")
    if not all(part.isdecimal() for part in rest):
        raise refuse(f"has an action for {kind} that does not exist: {written}", f"{kind}={_FORMS}")
    found = Action(name, tuple(int(part) for part in rest))
    if kind in _ONLY_REMOVED and name not in ("remove", "drop"):
        clause = f"lets a part of {kind} through, which PCI DSS 3.3.1 forbids to store in any form"
        raise refuse(clause, f"{kind}=remove, or leave {kind} out")
    if not _exists(found, kind):
        raise refuse(f"has an action for {kind} that does not exist: {written}", f"{kind}={_FORMS}")
    return found


def _exists(action: Action, kind: str) -> bool:
    match action:
        case Action("remove" | "keep" | "drop", ()):
            return True
        case Action("mask", (last,)):
            return 0 < last <= 8
        case Action("truncate", (first, last)):
            # PCI DSS 3.5.1 with FAQ 1091: never more than the first six and the last four.
            return kind == "PAN" and first <= 6 and last <= 4
        case Action("generalise", ()):
            return kind in _COARSER
    return False


def _checked(actions: dict[str, str]) -> dict[str, str]:
    for kind, written in actions.items():
        action(kind, written)
    return actions


class RedactionSettings(Group):
    """Stage 3: what is hidden before a record is stored anywhere."""

    short_for: ClassVar[str] = "mode"

    mode: Literal["keys", "scan"] = Field(
        "keys",
        description="`keys`: values of secret key names, `SecretStr`, credentials in URLs. `scan`: also"
        " sensitive values wherever they stand.",
    )
    secret_keys: Names = Field((), description="Key names that are secret besides the built-in ones.")
    actions: Annotated[NamePairs, AfterValidator(_checked)] = Field(
        default_factory=FrozenDict,
        description="For `scan`, what stands in place of values of a type: `remove` (the default), `mask:4`"
        " (the last 4 characters stay), `truncate:6:4` (of PAN: first and last digits), `generalise` (IPV4,"
        " IPV6, DATE_OF_BIRTH, GEO, ADDRESS), `keep` (the type is not looked for), `drop` (the whole record"
        " goes).",
    )
    rules: RedactionRules = RULES_FIELD
    minimise: Flag = MINIMISE_FIELD
    allowed_keys: AllowedKeys = ALLOWED_KEYS_FIELD

    def native(self) -> dict[str, object] | None:
        """Return what the native side takes for values; None: they are not scanned."""
        if self.mode == "keys":
            return None
        actions = {kind: action(kind, written) for kind, written in self.actions.items()}
        kept = {kind for kind, done in actions.items() if done.name == "keep"}
        return {
            # A path of a home directory names a person only on machines of persons.
            "kinds": [
                kind for kind in KINDS if kind not in kept and (kind != "USER_PATH" or kind in actions)
            ],
            "actions": [(kind, *done) for kind, done in actions.items() if kind not in kept],
        }

    def native_rules(self) -> dict[str, object]:
        """Return what the native side takes for rules and minimising."""
        return native_rules(self.rules, self.minimise, self.allowed_keys)
