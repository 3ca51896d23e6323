"""`HTTPException`: a response that code chose, not a failure of code; by rule a record, without stack.

Thread: caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException

from fapilog import Severity
from fapilog_instrumentation_fastapi import marks
from fapilog_instrumentation_fastapi.access import type_name
from fapilog_instrumentation_fastapi.cleaning import Cleaning
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.facts import facts, title
from fapilog_instrumentation_fastapi.writing import write as write_record

EVENT = "fapilog.http.server.http_exception"
_CUT = "..."
_DEEPEST = 8


def severity_of(status: int, rules: Sequence[str]) -> Severity | None:
    """Return the severity of the first rule that fits a status; None: no record.

    Example:
        >>> severity_of(503, ["404=info", "5xx=error"]).name, severity_of(400, ["404=info"])
        ('ERROR', None)
    """
    fitting = {str(status), f"{status // 100}xx"}
    for rule in rules:
        given, _, name = rule.partition("=")
        if given in fitting:
            return Severity[name.upper()]
    return None


def write(exchange: Exchange, error: HTTPException) -> None:
    """Write the record of an `HTTPException`, if a rule asks for one."""
    settings = exchange.options.settings.exceptions
    severity = severity_of(error.status_code, settings.http)
    if severity is None:
        return
    attributes = facts(exchange)
    attributes["http.response.status_code"] = error.status_code
    if error.status_code >= 500:
        attributes["error.type"] = str(error.status_code)
    if settings.detail_chars and error.detail is not None:
        detail = shortened(error.detail, settings.detail_chars)
        attributes["fapilog.http.detail"] = Cleaning(marks.of(exchange.scope).answer_names).cleaned(
            detail, []
        )
    if error.__cause__ is not None:
        attributes["fapilog.http.cause"] = type_name(error.__cause__)
    body = f"{title(exchange)} answered with HTTPException {error.status_code}"
    write_record(exchange.options.logger, int(severity), EVENT, body, attributes, context=exchange.context)


def shortened(detail: Any, chars: int, depth: int = 0) -> Any:
    """Return a detail whose texts are cut; mappings stay mappings, so that secret keys are known.

    Example:
        >>> shortened({"why": "a long story"}, 6)
        {'why': 'a long...'}
    """
    if isinstance(detail, str):
        return detail if len(detail) <= chars else detail[:chars] + _CUT
    if depth < _DEEPEST and isinstance(detail, Mapping):
        return {name: shortened(value, chars, depth + 1) for name, value in list(detail.items())[:chars]}
    if depth < _DEEPEST and isinstance(detail, (list, tuple)):
        return [shortened(value, chars, depth + 1) for value in detail[:chars]]
    if isinstance(detail, (bool, int, float)) or detail is None:
        return detail
    return shortened(str(detail), chars)
