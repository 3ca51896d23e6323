"""Settings of what happens to records on their way: which are kept (rules). Data and its checks only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from fapilog.settings import parse, types
from fapilog.settings.types import Group, refuse
from fapilog.severity import LEVEL_NAMES, Severity

_HINT = "pattern=word+word,pattern=word with the words off, on, trace_based and the names of levels"


class LoggerRule(Group):
    """What applies to the scopes whose name matches a pattern: OpenTelemetry's `LoggerConfig`.

    Attributes:
        pattern: The whole name of the scope; `*` stands for any characters, `?` for one.
        enabled: False: every record is dropped, those without a severity too.
        minimum_severity: Takes the place of `level` and `levels`. None: these stay.
        trace_based: True: records of a span that is not sampled are dropped.

    Example:
        >>> LoggerRule(pattern="urllib3.*", minimum_severity="warning").compact()
        'urllib3.*=warn'
    """

    pattern: str
    enabled: types.Flag = True
    minimum_severity: types.Level | None = None
    trace_based: types.Flag = False

    def compact(self) -> str:
        """The rule as `FAPILOG_RULES` takes it."""
        severity = self.minimum_severity
        words = (
            "" if self.enabled else "off",
            severity.text.lower() if severity is not None else "",
            "trace_based" if self.trace_based else "",
        )
        return f"{self.pattern}={'+'.join(word for word in words if word) or 'on'}"

    def native(self) -> tuple[str, bool, int | None, bool]:
        """The rule as the native side takes it."""
        severity = self.minimum_severity
        return self.pattern, self.enabled, None if severity is None else int(severity), self.trace_based


def _rules(value: object) -> object:
    if isinstance(value, str):
        try:
            value = parse.pairs(value)
        except ValueError as error:
            raise refuse(str(error), _HINT) from None
    if isinstance(value, Mapping):
        return tuple(_rule(pattern, given) for pattern, given in value.items())
    return value


def _rule(pattern: object, given: object) -> object:
    """One entry of a mapping: by words, by fields, or as the severity itself."""
    if isinstance(given, str):
        return {"pattern": pattern, **_fields(given)}
    if isinstance(given, Mapping):
        return {"pattern": pattern, **given}
    if isinstance(given, Severity):
        return {"pattern": pattern, "minimum_severity": given}
    return given


def _fields(words: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for word in (word.strip().lower() for word in words.split("+")):
        if word in {"off", "on"}:
            fields["enabled"] = word == "on"
        elif word == "trace_based":
            fields["trace_based"] = True
        elif word in LEVEL_NAMES:
            fields["minimum_severity"] = word
        else:
            raise refuse(f"holds a word that no rule knows: {word!r}", _HINT)
    return fields


LoggerRules = Annotated[tuple[LoggerRule, ...], BeforeValidator(_rules)]
RULES_FIELD: Any = Field(
    (),
    description="What applies to scopes by the pattern of their name, as OpenTelemetry's LoggerConfig: `off`,"
    " `on`, a minimum severity, `trace_based`. The first pattern that matches wins.",
)
