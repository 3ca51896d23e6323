"""`Sensitive`: a mark on a field's type that keeps its value out of every record."""

from __future__ import annotations

import re

from fapilog import _native
from fapilog.errors import ConfigurationError, OffendingSetting, Problem

_WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_WORDS = {kind[0]: kind[1] for kind in _native.scan_kinds()}


class Sensitive:
    """Says in `Annotated` that values of a field are sensitive.

    A model of pydantic, a dataclass or an attrs class that is logged as an attribute, at any depth, or in the
    context of a `LogEvent`, has `[REDACTED:<type>]` in place of such a field, whatever the policy says. A
    mark anywhere in the field's type counts for the whole field: `Annotated[str, Sensitive()] | None`,
    `list[Annotated[str, Sensitive()]]`. It does not change `str()` and `repr()` of the model: use
    `pydantic.SecretStr` for what must not stand in formatted text either.

    Args:
        type: What it is: the id of a type (`PAN`, `US_SSN`), or a word of yours in small letters.

    Raises:
        ConfigurationError: `setting-invalid`, if no marker can carry the word.

    Example:
        >>> from typing import Annotated
        >>> from dataclasses import make_dataclass
        >>> from fapilog.values import to_plain
        >>> fields = [("ward", str), ("number", Annotated[str, Sensitive("mrn")])]
        >>> Patient = make_dataclass("Patient", fields)
        >>> to_plain(Patient("7b", "12-34"))
        {'ward': '7b', 'number': '[REDACTED:mrn]'}
    """

    __slots__ = ("type",)

    def __init__(self, type: str = "sensitive") -> None:  # noqa: A002 - the word of findings and settings
        word = _WORDS.get(type, type)
        if not _WORD.fullmatch(word):
            do = "a type such as PAN, or a word of small letters, digits, - and _"
            offender = OffendingSetting("Sensitive", repr(type), "argument", do)
            what = "Sensitive names a type that no marker can carry"
            raise ConfigurationError([Problem("setting-invalid", what, (offender,), do)])
        self.type = word

    @property
    def fapilog_marker(self) -> str:
        """What stands in place of the value."""
        return f"[REDACTED:{self.type}]"

    def __repr__(self) -> str:
        return f"Sensitive({self.type!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sensitive) and self.type == other.type

    def __hash__(self) -> int:
        return hash((Sensitive, self.type))
