"""Requests without access record: by path, by route template, by regular expression. Thread: caller.

Paths come from anybody, and Python's regular expressions may take exponential time on a text that is made for
it. So patterns are searched by the engine of the redaction (Rust's `regex`: linear time on any text).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from fapilog import ConfigurationError, Settings
from fapilog.redaction import Redactor

# Nobody can write the mark into a path: it is made anew for each process.
_NAME = f"excluded-{secrets.token_hex(8)}"
_MARK = f"[REDACTED:{_NAME}-"


def searcher(patterns: Iterable[str]) -> Redactor | None:
    """Return what marks a path that one of the patterns is found in; None without patterns.

    Raises:
        ValueError: If one is no regular expression, or matches an empty text.
    """
    rules: list[dict[str, str]] = []
    for number, pattern in enumerate(patterns):
        rule = {"name": f"{_NAME}-{number}", "pattern": pattern, "action": "remove"}
        try:
            Settings.load(environ={}, redaction={"mode": "keys", "rules": [rule]})
        except ConfigurationError:
            raise ValueError(
                f"{pattern!r} is no regular expression of Rust's crate `regex`, or matches an empty text"
            ) from None
        rules.append(rule)
    if not rules:
        return None
    settings = Settings.load(environ={}, redaction={"mode": "keys", "rules": rules})
    return Redactor(settings.redaction_in_force)


class Exclusions:
    r"""Tells which requests have no access record.

    Args:
        paths: Exact paths; with a trailing `*`, beginnings.
        routes: Templates, as the access record has them in `http.route`.
        patterns: Searched in the path.

    Attributes:
        any_paths: Whether `path` may say yes at all.
        routes: The templates.

    Example:
        >>> excluded = Exclusions(["/healthz", "/static/*"], [], [r"\.ico$"])
        >>> [excluded.path(path) for path in ("/healthz", "/healthz/db", "/static/a.css", "/favicon.ico")]
        [True, False, True, True]
    """

    __slots__ = ("_beginnings", "_exact", "_searcher", "any_paths", "routes")

    def __init__(self, paths: Iterable[str], routes: Iterable[str], patterns: Iterable[str]) -> None:
        given = tuple(paths)
        self._exact = frozenset(path for path in given if not path.endswith("*"))
        self._beginnings = tuple(path[:-1] for path in given if path.endswith("*"))
        self._searcher = searcher(patterns)
        self.routes = frozenset(routes)
        self.any_paths = bool(given) or self._searcher is not None

    def path(self, path: str) -> bool:
        """Tell whether requests of this path are left out."""
        if path in self._exact or path.startswith(self._beginnings):
            return True
        return self._searcher is not None and _MARK in self._searcher.text(path)
