"""Settings of stage 3: what is hidden before a record is stored anywhere, and what stands in its place."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fapilog import _native
from fapilog.settings import destinations as per_destination
from fapilog.settings.redaction_keys import RedactionKeySettings, missing_key
from fapilog.settings.redaction_policy import refusal
from fapilog.settings.redaction_rules import (
    ALLOWED_KEYS_FIELD,
    DETECTORS_FIELD,
    MINIMISE_FIELD,
    RULES_FIELD,
    AllowedKeys,
    RedactionRules,
    native_rules,
)
from fapilog.settings.types import Flag, FrozenDict, Group, NamePairs, Names, refuse

KINDS = {kind[0]: kind for kind in _native.scan_kinds()}
_COARSER = frozenset({"ADDRESS", "DATE_OF_BIRTH", "GEO", "IPV4", "IPV6"})
_FORMS = "remove, keep, drop, mask:4, truncate:6:4 (PAN), generalise, token or seal"


class Action(NamedTuple):
    """What is done with values of one type.

    Attributes:
        name: `remove`, `keep`, `drop`, `mask`, `truncate`, `generalise`, `token` or `seal`.
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
    forbidden = refusal(kind, written)
    if forbidden is not None:
        raise refuse(forbidden.clause, forbidden.do, forbidden.code)
    if not all(part.isdecimal() for part in rest):
        raise refuse(f"has an action for {kind} that does not exist: {written}", f"{kind}={_FORMS}")
    found = Action(name, tuple(int(part) for part in rest))
    if not _exists(found, kind):
        raise refuse(f"has an action for {kind} that does not exist: {written}", f"{kind}={_FORMS}")
    return found


def _exists(action: Action, kind: str) -> bool:
    match action:
        case Action("remove" | "keep" | "drop" | "token" | "seal", ()):
            return True
        case Action("mask", (last,)):
            return 0 < last <= 8
        case Action("truncate", (first, last)):
            return kind == "PAN" and first <= 6 and last <= 4
        case Action("generalise", ()):
            return kind in _COARSER
    return False


def _checked(actions: dict[str, str]) -> dict[str, str]:
    for kind, written in actions.items():
        action(kind, written)
    return actions


class DestinationPolicy(Group):
    """Stage 3 for one exporter: what it must not get besides what the common policy hides."""

    mode: Literal["keys", "scan"] | None = Field(
        None, description="`scan`: sensitive values are hidden too. None: as the common policy has it."
    )
    secret_keys: Names = Field((), description="Key names that are secret besides the common ones.")
    actions: Annotated[NamePairs, AfterValidator(_checked)] = Field(
        default_factory=FrozenDict, description="Actions in place of the common ones, by type."
    )
    rules: RedactionRules = RULES_FIELD
    minimise: Flag = MINIMISE_FIELD
    allowed_keys: AllowedKeys = ALLOWED_KEYS_FIELD


Destinations = Annotated[
    dict[str, DestinationPolicy], BeforeValidator(per_destination.by_mode), AfterValidator(FrozenDict)
]


class RedactionSettings(RedactionKeySettings):
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
        " IPV6, DATE_OF_BIRTH, GEO, ADDRESS), `token` (equal values can be joined), `seal` (removed, and kept"
        " beside the record for who has the private key), `keep` (the type is not looked for), `drop` (the"
        " whole record is dropped).",
    )
    rules: RedactionRules = RULES_FIELD
    detectors: Names = DETECTORS_FIELD
    minimise: Flag = MINIMISE_FIELD
    allowed_keys: AllowedKeys = ALLOWED_KEYS_FIELD
    destinations: Destinations = Field(
        default_factory=FrozenDict,
        description="Stricter policies, by exporter: `mode`, `secret_keys`, `actions`, `rules`, `minimise`,"
        " `allowed_keys` of each, besides what is common. A destination may only remove more. In the"
        " variable: the mode alone, `otlp=scan`.",
    )

    @model_validator(mode="after")
    def _destinations_only_remove_more(self) -> Self:
        per_destination.check_only_more(self)
        return self

    @model_validator(mode="after")
    def _actions_have_their_keys(self) -> Self:
        own = (policy.actions for policy in self.destinations.values())
        for kind, written in chain.from_iterable(each.items() for each in (self.actions, *own)):
            missing = missing_key(action(kind, written).name, self)
            if missing is not None:
                raise missing
        return self

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
