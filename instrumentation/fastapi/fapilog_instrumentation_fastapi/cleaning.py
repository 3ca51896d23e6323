"""Takes marked members out of values as callers sent them, or as an application answered. Thread: caller."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from fapilog_instrumentation_fastapi import kinds as of_types

UNKNOWN = "[REDACTED:sensitive]"
_DEEPEST = 16
MEMBERS_LIMIT = 500


class Cleaning:
    """Takes marked members out of one raw value, of which it looks at so many members and no more.

    Args:
        names: Of fields that are hidden wherever they stand, with their markers.
        limit: How many members.
    """

    def __init__(self, names: Mapping[Any, str], limit: int = MEMBERS_LIMIT) -> None:
        self._names = names
        self._left = limit
        # Bodies have the same kinds again and again. What is known of one stands beside it, by its id.
        self._read: of_types.Read = {}
        self._inner: dict[tuple[int, Any], tuple[Any, list[Any]]] = {}
        self._markers: dict[int, tuple[Any, str | None]] = {}
        self._marked: dict[int, tuple[Any, bool]] = {}

    def cleaned(self, value: Any, kinds: list[Any], depth: int = 0) -> Any:
        """Return the value; `kinds` holds kinds, or mappings of names to kinds."""
        if isinstance(value, (Mapping, list, tuple)):
            if depth > _DEEPEST:
                return UNKNOWN
            if isinstance(value, Mapping):
                return self._of_mapping(value, kinds, depth)
            return [
                self._member(place, inner, kinds, depth)
                for place, inner in enumerate(islice(value, self._left))
            ]
        # A text where a model with marked fields was expected may be one of them.
        return UNKNOWN if self._any_marks(kinds) else value

    def _of_mapping(self, value: Mapping[Any, Any], kinds: list[Any], depth: int) -> Any:
        members = islice(value.items(), self._left)
        return {name: self._member(name, inner, kinds, depth) for name, inner in members}

    def _member(self, step: Any, value: Any, kinds: list[Any], depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            return UNKNOWN
        is_place = isinstance(step, int)
        if not is_place and step in self._names:
            return self._names[step]
        inner = [one for each in kinds for one in self._below(each, 0 if is_place else step)]
        if (marker := self._first_marker(inner)) is not None:
            return marker
        if is_place and not inner and self._any_marks(kinds):
            return UNKNOWN
        return self.cleaned(value, inner, depth + 1)

    def _below(self, kinds: Any, step: Any) -> list[Any]:
        if isinstance(kinds, dict):
            return [kinds[step]] if step in kinds else []
        key = (id(kinds), step)
        known = self._inner.get(key)
        if known is None:
            known = self._inner[key] = (kinds, list(of_types.below(kinds, step, self._read)))
        return known[1]

    def _first_marker(self, kinds: list[Any]) -> str | None:
        for each in kinds:
            known = self._markers.get(id(each))
            if known is None:
                known = self._markers[id(each)] = (each, of_types.marker_of(each))
            if known[1] is not None:
                return known[1]
        return None

    def _any_marks(self, kinds: list[Any]) -> bool:
        for each in kinds:
            known = self._marked.get(id(each))
            if known is None:
                known = self._marked[id(each)] = (each, of_types.any_marks((each,)))
            if known[1]:
                return True
        return False
