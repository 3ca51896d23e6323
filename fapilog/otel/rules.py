"""Stage 1 of 7, emit: levels and rules of a provider, changed while it runs. Thread: any; nothing per record.

The native gate keeps them: what is set for some seconds reverts at the first call after that, in forked
children too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fapilog import _native, pipeline
from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.settings import LoggerRule, Settings
from fapilog.severity import Severity

# By pattern: words as in FAPILOG_RULES, a severity, or the fields of `LoggerRule`.
Rules = Mapping[str, str | Severity | Mapping[str, Any]] | Iterable[LoggerRule]
_LONGEST_SECONDS = 366 * 24 * 3600.0


def set_level(
    native: _native.Pipeline,
    level: Severity | str,
    levels: Mapping[str, Severity | str],
    for_seconds: float | None,
) -> None:
    """Check and apply; as `LoggerProvider.set_level`."""
    checked = Settings.load(environ={}, level=level, levels=dict(levels))
    native.set_levels(*pipeline.levels(checked), _seconds(for_seconds))


def set_rules(native: _native.Pipeline, rules: Rules, for_seconds: float | None) -> None:
    """Check and apply; as `LoggerProvider.set_rules`."""
    given = dict(rules) if isinstance(rules, Mapping) else tuple(rules)
    checked = Settings.load(environ={}, rules=given)
    native.set_rules([rule.native() for rule in checked.rules], _seconds(for_seconds))


def _seconds(value: float | None) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if value is None or (known and 0 < value <= _LONGEST_SECONDS):
        return value
    remedy = "pass a number of seconds above 0, at most one year, or None for a change that stays"
    setting = OffendingSetting("for_seconds", repr(value), "argument", remedy)
    raise ConfigurationError([Problem("setting-invalid", "for_seconds is no time", (setting,), remedy)])
