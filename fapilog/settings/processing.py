"""Settings of what happens to records on their way: which are kept, by rules and by processors. Data only.

Each processor is off until its first setting says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fapilog.settings import parse, types
from fapilog.settings.types import Group, Positive, conflict, refuse
from fapilog.severity import LEVEL_NAMES, Severity

_HINT = "pattern=word+word,pattern=word with the words off, on, trace_based and the names of levels"


def _pattern(value: str) -> str:
    if not value.strip():
        raise refuse("holds a rule without a pattern", _HINT + "; * matches every name")
    return value


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

    pattern: Annotated[str, AfterValidator(_pattern)]
    enabled: types.Flag = True
    minimum_severity: types.Level | None = None
    trace_based: types.Flag = False

    def compact(self) -> str:
        """The rule as `FAPILOG_RULES` takes it."""
        severity = self.minimum_severity
        words = (
            "" if self.enabled else "off",
            severity.text.lower() if severity is not None and self.enabled else "",
            "trace_based" if self.trace_based else "",
        )
        return f"{self.pattern}={'+'.join(word for word in words if word) or 'on'}"

    def native(self) -> tuple[str, bool, int | None, bool]:
        """The rule as the native side takes it."""
        severity = self.minimum_severity
        return self.pattern, self.enabled, None if severity is None else int(severity), self.trace_based


ENRICHERS_FIELD: Any = Field(
    (),
    description="Attributes for every record, by the names of enrichers: asyncio, thread, process, host,"
    " container, kubernetes, user, system, or a plugin's.",
)


PROCESSORS_FIELD: Any = Field(
    (),
    description="Log record processors of OpenTelemetry that see every record within the call, by the names"
    " of plugins (`fapilog.processors`), in this order.",
)
BATCH_PROCESSORS_FIELD: Any = Field(
    (),
    description="Batch processors that see every block before the exporters do, by the names of plugins"
    " (`fapilog.processors`), in this order.",
)


class EnrichmentSettings(Group):
    """Stage 2: how enrichers are asked."""

    refresh_millis: Positive = Field(
        60_000, description="Pause between two questions to an async enricher that names none itself."
    )
    timeout_millis: Positive = Field(
        5_000, description="Longest time of one question to an enricher that is refreshed."
    )
    command_args: types.Flag = Field(
        False,
        description="Whether the enricher `process` adds `process.command_args`, which may hold secrets.",
    )


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
    if isinstance(given, LoggerRule):
        return given
    what = f"holds a rule that is neither words, nor a severity, nor a mapping: {given!r:.40}"
    raise refuse(what, _HINT)


def _fields(words: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for word in (word.strip().lower() for word in words.split("+")):
        value: object = True
        if word in {"off", "on"}:
            name, value = "enabled", word == "on"
        elif word == "trace_based":
            name = "trace_based"
        elif word in LEVEL_NAMES:
            name, value = "minimum_severity", word
        else:
            raise refuse(f"holds a word that no rule knows: {word!r}", _HINT)
        if fields.setdefault(name, value) != value:
            raise refuse(f"holds words that contradict each other: {words!r:.40}", _HINT)
    if fields.get("enabled") is False and "minimum_severity" in fields:
        raise refuse(f"holds a level beside off, which drops all: {words!r:.40}", _HINT)
    return fields


LoggerRules = Annotated[tuple[LoggerRule, ...], BeforeValidator(_rules)]
RULES_FIELD: Any = Field(
    (),
    description="What applies to scopes by the pattern of their name, as OpenTelemetry's LoggerConfig: `off`,"
    " `on`, a minimum severity, `trace_based`. The first pattern that matches wins.",
)


_Ratio = Annotated[float, Field(strict=True, ge=0, le=1)]
_Rate = Annotated[float, Field(strict=True, gt=0, le=1e9)]
_Templates: Any = Annotated[int, Field(strict=True, ge=1, le=1_048_576)]


class SamplingSettings(Group):
    """Stage 1: keeps a share of the records, the same traces in every service."""

    ratio: _Ratio | None = Field(
        None,
        description="Share that is kept, 0 to 1, by the trace id as OpenTelemetry's consistent probability"
        " sampling does; None: no sampling.",
    )
    keep_level: types.Level = Field(
        Severity.ERROR, description="Records of this level and above are all kept."
    )
    in_span: Literal["trace_id", "sampled_flag"] = Field(
        "trace_id",
        description="What decides about records of a span: the ratio, by its trace id; or the span's sampled"
        " flag.",
    )
    outside_span: Literal["ratio", "keep"] = Field(
        "ratio", description="What decides about the others: the ratio, by chance; or nothing, all are kept."
    )

    @model_validator(mode="after")
    def _flag_needs_ratio(self) -> SamplingSettings:
        if self.in_span == "sampled_flag" and self.ratio is None:
            raise conflict(
                "sampling-incomplete",
                "sampling by the sampled flag needs a ratio for records outside of spans",
                "set {ratio}, or sample by rules with trace_based alone",
                in_span=self.in_span,
                ratio=self.ratio,
            )
        return self

    def native(self) -> dict[str, object] | None:
        """The settings as the native side takes them; None: off."""
        if self.ratio is None:
            return None
        return self.model_dump(include={"ratio", "in_span", "outside_span"}) | {
            "keep_severity": int(self.keep_level)
        }


class RateLimitSettings(Group):
    """Stage 1: so many records of one logger and template per second."""

    records_per_second: _Rate | None = Field(
        None, description="Records of one template and second in the long run; None: no limit."
    )
    burst: Positive | None = Field(
        None, description="Records that may come at once; None: those of one second, at least one."
    )
    max_templates: _Templates = Field(
        4_096, description="Templates remembered; the least recently used is forgotten."
    )

    def native(self) -> dict[str, object] | None:
        """The settings as the native side takes them; None: off."""
        rate = self.records_per_second
        if rate is None:
            return None
        burst = self.burst if self.burst is not None else max(1, math.ceil(rate))
        return {"records_per_second": float(rate), "burst": burst, "max_templates": self.max_templates}


class FirstOccurrenceSettings(Group):
    """Stage 1: only the first record of a logger and template."""

    per: Literal["off", "interval", "process"] = Field(
        "off", description="The first one per interval, the first one of the process, or `off`."
    )
    interval_millis: Positive = Field(60_000, description="How long one record stands for its template.")
    max_templates: _Templates = Field(
        4_096, description="Templates remembered; the least recently used is forgotten."
    )

    def native(self) -> dict[str, object] | None:
        """The settings as the native side takes them; None: off."""
        if self.per == "off":
            return None
        interval = self.interval_millis if self.per == "interval" else None
        return {"interval_millis": interval, "max_templates": self.max_templates}


class DedupeSettings(Group):
    """Stage 3: equal records become one with a count."""

    window_millis: Positive | None = Field(
        None, description="How long repeats of a record are held back; None: no dedupe."
    )
    attributes: types.Flag = Field(
        True, description="Whether records with other attributes are other records."
    )
    max_windows: _Templates = Field(
        1_024, description="Windows open at a time; beyond them the oldest ends early."
    )

    def native(self) -> dict[str, object] | None:
        """The settings as the native side takes them; None: off."""
        return None if self.window_millis is None else self.model_dump()
