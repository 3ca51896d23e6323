"""Types of settings, and what a group of them is. Threads: the configuring one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from fapilog import Severity

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _header(name: str) -> str:
    if not name or not _TOKEN.issuperset(name):
        raise ValueError("no name of a header: RFC 9110 allows letters, digits and !#$%&'*+-.^_`|~")
    return name


def _severity(value: Any) -> Any:
    if isinstance(value, str) and value.strip().upper() in Severity.__members__:
        return Severity[value.strip().upper()]
    return value


HeaderName = Annotated[str, AfterValidator(_header)]
SeverityName = Annotated[Severity, BeforeValidator(_severity)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]


class Group(BaseModel):
    """A group of settings: frozen, and no name but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
