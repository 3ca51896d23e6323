"""Takes what models mark as sensitive out of captured bodies, in every mode of redaction. Thread: caller.

A request is read beside the parameters of its route, a response beside the response models, and by the names
of whatever is marked in either. A body that no route was chosen for is read by the names of all routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fapilog_instrumentation_fastapi import marks, validation
from fapilog_instrumentation_fastapi.cleaning import UNKNOWN, Cleaning

# More members than the largest body that is kept can have.
_MEMBERS = 32_768
# Of an error: what repeats its input, in pydantic's words.
_REPEATING = frozenset({"msg", "message", "ctx"})


def of_request(scope: Mapping[str, Any], body: Any) -> Any:
    """Return the body of a request without what is marked."""
    return _fields(scope).hidden(("body",), body, _MEMBERS)[1]


def of_response(scope: Mapping[str, Any], body: Any) -> Any:
    """Return the body of a response without what is marked, also where it says what is wrong in a request."""
    fields = _fields(scope)
    if fields.answer_marker is not None or not fields.answer_names:
        return fields.answer_marker or body
    return _Answer(fields).cleaned(body, list(fields.answers))


def _fields(scope: Mapping[str, Any]) -> marks.Fields:
    fields = marks.of(scope)
    return marks.of_all(scope.get("app")) if fields is marks.NO_FIELDS else fields


class _Answer(Cleaning):
    """Cleans a response; errors of validation in it name their place in the request and have its value."""

    def __init__(self, fields: marks.Fields) -> None:
        super().__init__(fields.answer_names, _MEMBERS)
        self._fields = fields

    def _of_mapping(self, value: Mapping[Any, Any], kinds: list[Any], depth: int) -> Any:
        cleaned = super()._of_mapping(value, kinds, depth)
        if not (isinstance(value.get("loc"), list) and "type" in value):
            return cleaned
        marker, shown = validation.without_marks(value, self._fields)
        if "input" in cleaned:
            cleaned["input"] = shown
        hides = self._fields.has_marks and not validation.repeats_nothing(value)
        if marker is not None or hides:
            cleaned.update((name, marker or UNKNOWN) for name in _REPEATING & cleaned.keys())
        return cleaned
