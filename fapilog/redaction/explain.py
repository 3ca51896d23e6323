"""Why stage 3 hides something: which rule, what spoke for it, and what stands in its place. Thread: any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fapilog.redaction.redactor import Redactor
from fapilog.redaction.scan import scanner_of
from fapilog.settings.redaction import KINDS, RedactionSettings
from fapilog.values import valid_text

_TIERS = {
    "A": "its shape, prefix or checksum suffices",
    "B": "a checksum, and a word or key that speaks for it",
    "C": "a word or key that speaks for it",
}
_SECRET = "[REDACTED:secret]"  # noqa: S105  # nosec B105 - what stands there, not a secret
_MARKER = re.compile(r"REDACTED:REDACTED|\[REDACTED:[^\]]*\]")
_OWN = "a rule of your own"
_WORD = re.compile(r"[^\W\d_][\w-]*")
# How far a word speaks, in characters; the native side looks 32 bytes back and 16 ahead.
_BEFORE, _BEHIND = 48, 24
# Names that are remembered; one more, and all are forgotten.
_MOST_KEYS = 4_096
# The type of a value that goes because of its key, whatever it is; and of credentials that a URL holds.
SECRET_KEY, URL_CREDENTIALS = "SECRET_KEY", "URL_USERINFO"


@dataclass(frozen=True)
class Explained:
    """One thing that is hidden; never its value.

    Attributes:
        path: Where: `text`, or the path of the key. A key that holds a finding itself ends with `*`.
        type: What it is: a type of the scanner, or `SECRET_KEY`.
        rule: The rule that found it.
        why: The tier of the type, and what spoke for this value.
        action: What is done: `remove`, `truncate:0:4`.
        instead: What stands there now.
    """

    path: str
    type: str
    rule: str
    why: str
    action: str
    instead: str


class Explainer:
    """Explains what a policy hides.

    Args:
        settings: The policy.
        reasons: Whether to find out what spoke for each value, which scans it again some times.

    Example:
        >>> [one] = Explainer(RedactionSettings(mode="scan")).text("ssn 536-22-1034")
        >>> one.type, one.action, one.instead
        ('US_SSN', 'remove', '[REDACTED:ssn]')
    """

    def __init__(self, settings: RedactionSettings, *, reasons: bool = True) -> None:
        self._reasons = reasons
        self._has_rules = bool(settings.rules)
        self._redactor = Redactor(settings)
        self._scanner = scanner_of(settings)
        # A rule of the user has an action of its own.
        self._actions = dict(settings.actions) | {rule.name: rule.action for rule in settings.rules}
        self._secret: dict[str, bool] = {}
        self._telling: dict[str, bool] = {}

    def text(self, text: str, path: str = "text") -> Iterator[Explained]:
        """Yield what is hidden in a text."""
        yield from self._in_text(text, path, "")

    def attributes(self, attributes: Mapping[str, Any], place: str = "") -> Iterator[Explained]:
        """Yield what is hidden in a mapping, whose paths begin with `place`."""
        yield from self._in_mapping(attributes, place, "")

    def _in_mapping(self, mapping: Mapping[str, Any], place: str, above: str) -> Iterator[Explained]:
        for key, value in mapping.items():
            key = valid_text(str(key))  # noqa: PLW2901 - the same, as it can be written
            name = f"{above}.{key}" if above else key
            path = f"{place}.{key}" if place else key
            hidden = f"{place}.*" if place else "*"
            for found in self._in_text(key, hidden, ""):
                path = found.path
                yield found
            if path != hidden and self._tells(path):
                # Only together with the names above: a report must not put them together either.
                path = hidden
            if self._is_secret(key):
                yield self._key(path, value)
            else:
                yield from self._in_value(value, path, name)

    def _in_value(self, value: Any, path: str, name: str) -> Iterator[Explained]:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            yield from self._in_text(value, path, name)
        elif isinstance(value, Mapping):
            yield from self._whole(value, path, name) or self._in_mapping(value, path, name)
        elif isinstance(value, (list, tuple)):
            whole = self._whole(value, path, name)
            yield from whole
            for member in () if whole else value:
                # Without its number: a report names fields, not members.
                yield from self._in_value(member, path, name)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            for found in self._scanner.scan("", {name: value}):
                text = str(value)
                yield self._found(text, found, path, name, self._redactor.text(text, name))

    def _whole(self, value: Any, path: str, name: str) -> list[Explained]:
        """What hides all of a map or a list: a rule about its place, or what its members are together."""
        if isinstance(value, Mapping) and not self._has_rules:
            return []
        found = self._scanner.scan("", {name: value})
        return [
            Explained(
                path,
                kind,
                rule,
                "a value in the members of a list together" if kind in KINDS else _OWN,
                "remove" if kind in KINDS else self._actions.get(kind, "remove"),
                _first_marker(str(self._redactor.changed({name: value}))),
            )
            for where, _, _, kind, rule in found
            if where == f"attributes.{name}"
        ]

    def _in_text(self, text: str, path: str, name: str) -> Iterator[Explained]:
        text, name = valid_text(text), valid_text(name)
        left = self._redactor.text(text, name)
        found = self._scanner.scan("", {name: text}) if name else self._scanner.scan(text)
        if left != text and not found:
            why = "a URL holds a user and a password, or another rule of the policy"
            yield Explained(path, URL_CREDENTIALS, "url.credentials", why, "remove", _first_marker(left))
        at = 0
        for each in found:
            marker = _MARKER.search(left, at)
            at = marker.end() if marker else at
            yield self._found(text, each, path, name, marker.group() if marker else "?")

    def _found(
        self, text: str, found: tuple[str, int, int, str, str], path: str, name: str, left: str
    ) -> Explained:
        _, start, end, kind, rule = found
        action = self._actions.get(kind, "remove")
        why = _TIERS[KINDS[kind][3]] if kind in KINDS else _OWN
        if self._reasons:
            why += f"; here {self._spoke(text, (start, end), kind, path if name else '')}"
        return Explained(path, kind, rule, why, action, _first_marker(left))

    def _spoke(self, text: str, place: tuple[int, int], kind: str, name: str) -> str:
        """What the finding goes away without."""
        start, end = place
        value = text[start:end]
        if self._is_found(value, kind):
            return "the value alone"
        if not self._is_found(text, kind):
            return f"the key {name!r}" if name else "its words"
        around = text[max(0, start - _BEFORE) : start], text[end : end + _BEHIND]
        words = [*reversed(_WORD.findall(around[0])), *_WORD.findall(around[1])]
        for word in words:
            if self._is_found(f"{word}: {value}", kind):
                return f"the word {word!r}"
        return "the text around it"

    def _is_found(self, text: str, kind: str) -> bool:
        return any(found[3] == kind for found in self._scanner.scan(text))

    def _is_secret(self, key: str) -> bool:
        return _remembered(self._secret, key, lambda: self._redactor.text("x", key) == _SECRET)

    def _tells(self, path: str) -> bool:
        return _remembered(self._telling, path, lambda: bool(self._scanner.scan(path)))

    def _key(self, path: str, value: Any) -> Explained:
        del value  # not looked at, as in a record
        return Explained(path, SECRET_KEY, "key", "the name of its key is secret", "remove", _SECRET)


def _remembered(known: dict[str, bool], name: str, decide: Callable[[], bool]) -> bool:
    if name not in known:
        if len(known) > _MOST_KEYS:
            known.clear()
        known[name] = decide()
    return known[name]


def _first_marker(text: str) -> str:
    found = _MARKER.search(text)
    return found.group() if found else "?"
