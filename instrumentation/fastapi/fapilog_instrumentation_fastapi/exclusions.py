"""Requests without access record: by path, by route template, by regular expression. Thread: caller."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Paths come from outside, so what is remembered of them needs a bound.
_REMEMBERED_PATHS = 4_096
_LONGEST_PATH = 2_048


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the settings.

    Raises:
        ValueError: If it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


class Exclusions:
    """Tells which requests have no access record.

    Python's regular expressions may take exponential time on a text made for that, and paths come from
    anybody. So a path longer than 2,048 characters is not searched, and what was found is remembered.

    Args:
        paths: Exact paths; with a trailing `*`, beginnings.
        routes: Templates, as the access record has them in `http.route`.
        patterns: Searched in the path.
    """

    __slots__ = ("_beginnings", "_exact", "_patterns", "_remembered", "any_paths", "any_routes", "routes")

    def __init__(self, paths: Iterable[str], routes: Iterable[str], patterns: Iterable[str]) -> None:
        given = tuple(paths)
        self._exact = frozenset(path for path in given if not path.endswith("*"))
        self._beginnings = tuple(path[:-1] for path in given if path.endswith("*"))
        self._patterns = tuple(compiled(pattern) for pattern in patterns)
        self._remembered: dict[str, bool] = {}
        self.routes = frozenset(routes)
        self.any_paths = bool(self._exact or self._beginnings or self._patterns)
        self.any_routes = bool(self.routes)

    def path(self, path: str) -> bool:
        """Tell whether requests of this path are left out."""
        if path in self._exact:
            return True
        if not self._beginnings and not self._patterns:
            return False
        known = self._remembered.get(path)
        if known is None:
            known = path.startswith(self._beginnings) or self._found(path)
            if len(self._remembered) < _REMEMBERED_PATHS:
                self._remembered[path] = known
        return known

    def _found(self, path: str) -> bool:
        return len(path) <= _LONGEST_PATH and any(pattern.search(path) for pattern in self._patterns)
