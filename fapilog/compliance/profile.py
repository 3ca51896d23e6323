"""`Profile`: one file of what a standard asks of logs. Data and its checks only."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from fapilog import _native
from fapilog.compliance import strictness

TYPES: Mapping[str, str] = {kind[0]: kind[2] for kind in _native.scan_kinds()}
"""Types of sensitive values, with their group."""
GROUPS = tuple(dict.fromkeys(TYPES.values()))
_GROUP = "group:"
Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Days = Annotated[int, Field(strict=True, ge=1, le=36_500)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_action(value: str) -> str:
    action = value.strip().lower()
    if not strictness.is_known(action):
        raise ValueError(f"{value!r} is no action; actions begin with {_listed(_words())}")
    return action


def _known_target(value: str) -> str:
    known = value in TYPES or (value.startswith(_GROUP) and value.removeprefix(_GROUP) in GROUPS)
    if not known:
        raise ValueError(
            f"{value!r} is neither a type (fapilog.redaction lists them) nor one of the groups"
            f" {_listed(_GROUP + group for group in GROUPS)}"
        )
    return value


Action = Annotated[str, AfterValidator(_known_action)]


class Measure(_Part):
    """What is done with values of one type, or of every type of a group.

    Attributes:
        target: `PAN`, or `group:payment`. Within a profile a type counts more than its group.
        do: The action where the user chose none, as `redaction.actions` writes it.
        weakest: What the user may choose at most; None: nothing that lets more through than `do`.
        clause: The clause that asks for it.
    """

    target: Annotated[str, AfterValidator(_known_target)]
    do: Action
    weakest: Action | None = None
    clause: Words

    @property
    def bound(self) -> str:
        """The action that lets most through of those that are allowed."""
        return self.weakest or self.do

    @model_validator(mode="after")
    def _bound_is_not_stricter(self) -> Self:
        if strictness.is_weaker(self.do, self.bound):
            raise ValueError(f"its own action {self.do} lets more through than the weakest one, {self.bound}")
        return self


class Retention(_Part):
    """For how long records have to be kept, and may be kept at most, in stores that fapilog owns.

    Attributes:
        min_days: Not deleted earlier; None: no bound.
        min_clause: The clause that asks for it.
        max_days: Deleted then; None: no bound.
        max_clause: The clause that asks for it.
    """

    min_days: Days | None = None
    min_clause: Words | None = None
    max_days: Days | None = None
    max_clause: Words | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for bound in ("min", "max"):
            if (getattr(self, f"{bound}_days") is None) != (getattr(self, f"{bound}_clause") is None):
                raise ValueError(f"{bound}_days and {bound}_clause belong together")
        if self.min_days is not None and self.max_days is not None and self.min_days > self.max_days:
            raise ValueError("min_days is more than max_days")
        return self


class Transport(_Part):
    """How records may travel.

    Attributes:
        tls: Whether every endpoint has to be `https`; addresses of the machine itself are exempt.
        clause: The clause that asks for it.
    """

    tls: bool
    clause: Words


class CategoryFields(_Part):
    """What records of one category have to say, and must not.

    Attributes:
        category: `audit`, or a category of `fapilog.EventCategory`.
        required: Names of attributes; `a|b` asks for one of both.
        forbidden: Names of attributes.
        clause: The clause that asks for it.
    """

    category: Literal["audit", "error", "performance", "security", "business", "system", "compliance"]
    required: tuple[Words, ...] = ()
    forbidden: tuple[Words, ...] = ()
    clause: Words


class Clause(_Part):
    """One clause of the standard: what it asks, and what fapilog does for it.

    Attributes:
        id: As the standard numbers it.
        asks: What it asks, in our words.
        mechanism: What of fapilog helps with it.
        checks: What proves the mechanism: `type:PAN`, `group:payment`, `carrier:*`, `setting:tls`,
            `setting:retention`, `setting:fields`, `setting:actions`, `setting:minimise`, `key:NAME`.
        test: The test that proves it, in words.
        cannot: What stays with people.
    """

    id: Words
    asks: Words
    mechanism: Words
    checks: tuple[Words, ...] = ()
    test: Words
    cannot: Words

    @model_validator(mode="after")
    def _checks_are_known(self) -> Self:
        for check in self.checks:
            kind, _, name = check.partition(":")
            known = {"type": name in TYPES, "group": name in GROUPS}.get(
                kind, kind in {"setting", "carrier", "key"} and bool(name)
            )
            if not known:
                raise ValueError(
                    f"{check!r} is no check: type:, group:, setting:, carrier: or key: and a name"
                )
        return self


def _measures(value: object) -> object:
    """`PAN = "remove"` under `[actions]` is short for a table with `do`."""
    if not isinstance(value, Mapping):
        return value
    return tuple(
        {"target": target, **(dict(given) if isinstance(given, Mapping) else {"do": given})}
        for target, given in value.items()
    )


def _categories(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return tuple({"category": name, **given} for name, given in value.items() if isinstance(given, Mapping))


class Profile(_Part):
    """What one standard asks of logs.

    Attributes:
        schema_version: Version of this form; 1.
        name: As `compliance` names it.
        version: Of the file.
        title: For people.
        standard: Version of the standard.
        published: When the standard was.
        updated: When the file was.
        summary: What it helps with.
        minimise: Whether attributes that nobody listed are dropped where the user says nothing.
        minimise_clause: The clause that asks for it.
        secret_keys: Names of keys whose values are removed.
        measures: What is done with which type (`[actions]` of the file).
        transport: How records may travel.
        retention: Bounds for stores that fapilog owns.
        categories: Fields of categories of records.
        clauses: The table of clauses.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: Name
    version: Words
    title: Words
    standard: Words
    published: datetime.date
    updated: datetime.date
    summary: Words
    minimise: bool = False
    minimise_clause: Words | None = None
    secret_keys: tuple[Words, ...] = ()
    measures: Annotated[tuple[Measure, ...], BeforeValidator(_measures)] = Field((), alias="actions")
    transport: Transport | None = None
    retention: Retention = Retention()
    categories: Annotated[tuple[CategoryFields, ...], BeforeValidator(_categories)] = ()
    clauses: tuple[Clause, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _clauses_exist(self) -> Self:
        known = [clause.id for clause in self.clauses]
        if twice := sorted({name for name in known if known.count(name) > 1}):
            raise ValueError(f"clauses are there twice: {_listed(twice)}")
        if strange := sorted({name for name in self._named_clauses() if name not in known}):
            raise ValueError(f"clauses are named that [[clauses]] does not have: {_listed(strange)}")
        if self.minimise and self.minimise_clause is None:
            raise ValueError("minimise needs minimise_clause")
        return self

    def _named_clauses(self) -> Iterator[str]:
        named: list[str | None] = [self.minimise_clause, self.retention.min_clause, self.retention.max_clause]
        named += [each.clause for each in self.measures] + [each.clause for each in self.categories]
        named += [self.transport.clause] if self.transport else []
        return (name for name in named if name is not None)

    def actions(self) -> dict[str, Measure]:
        """Return what is done with each type that the profile covers."""
        found: dict[str, Measure] = {}
        for measure in sorted(self.measures, key=lambda each: not each.target.startswith(_GROUP)):
            group = measure.target.removeprefix(_GROUP)
            covered = (
                [kind for kind, of in TYPES.items() if of == group] if group in GROUPS else [measure.target]
            )
            found |= dict.fromkeys(covered, measure)
        return found

    def compact(self) -> str:
        """The profile in two words, for `fapilog config`."""
        return f"{self.name} {self.version}"

    def __str__(self) -> str:
        return self.compact()


def parse(content: Mapping[str, Any]) -> Profile:
    """Make a profile of what stands in its file.

    Raises:
        ValidationError: Of pydantic, with the place of each mistake.
    """
    return Profile.model_validate(dict(content))


def is_path(name: str) -> bool:
    """Tell whether a name in `compliance` is the path of a file.

    Example:
        >>> is_path("pci-dss"), is_path("house.toml"), is_path("./profiles/house")
        (False, True, True)
    """
    return "/" in name or Path(name).suffix == ".toml"


def _words() -> Iterator[str]:
    return (name for names in strictness.ORDER for name in names)


def _listed(names: Any) -> str:
    return ", ".join(names)
