"""`no_leaks`: a test fails when something sensitive leaves the process through fapilog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from fapilog.redaction.scan import scan
from fapilog.testing.exported import Exported, Exports, record_exports
from fapilog.testing.forms import KnownValue

_SHOWN = 20
# What a key that is itself sensitive is called.
_HIDDEN = "*"


class Leak(NamedTuple):
    """Something that left and must not; never the value.

    Attributes:
        way: How it left, as `Exported.way`.
        path: Where it stood: `attributes.customer.email`. A key that is sensitive itself is `*`.
        type: Type of the value, such as `PAN`, or the name of the watched value.
        rule: The rule that found it, or the form of the watched value.
    """

    way: str
    path: str
    type: str
    rule: str


class LeakError(AssertionError):
    """Something sensitive left the process.

    Attributes:
        leaks: What, where; never the values.
    """

    def __init__(self, leaks: Sequence[Leak], left_out: int = 0) -> None:
        self.leaks = tuple(leaks)
        lines = [f"  {leak.way}: {leak.path}: {leak.type} ({leak.rule})" for leak in leaks[:_SHOWN]]
        if len(leaks) > _SHOWN:
            lines.append(f"  and {len(leaks) - _SHOWN} more places")
        if left_out:
            lines.append(f"  {left_out} pieces were too many to be checked: call no_leaks.check() more often")
        head = "sensitive values left the process (none is shown here):"
        do = "  do: redact them (docs/how-to/redact.md), or accept them: no_leaks.allow(type, path)"
        super().__init__("\n".join([head, *lines, do]))


class NoLeaks:
    """Watches what leaves the process; the fixture `no_leaks` gives a test one."""

    def __init__(self, exports: Exports, *, flush_timeout_millis: int = 2_000) -> None:
        self._exports = exports
        self._timeout_millis = flush_timeout_millis
        self._watched: list[KnownValue] = []
        self._allowed: list[tuple[str, str | None]] = []
        self._checked: list[Exported] = []

    def watch(self, *values: str | bytes | int, **named: str | bytes | int) -> None:
        """Fail the test when one of these values leaves in any form, whether a rule knows it or not.

        Forms: as it is, in other case or other Unicode characters, percent-encoded, JSON-escaped, base64,
        hexadecimal; numbers of 8 digits and more with any separators.

        Args:
            *values: Values of the test's own data; each of 3 characters at least.
            **named: The same, with a name for messages.

        Raises:
            ValueError: A value is too short.
        """
        known = len(self._watched)
        given = [(f"watched value {known + number}", value) for number, value in enumerate(values, 1)]
        for name, value in [*given, *named.items()]:
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            self._watched.append(KnownValue(text, name))

    def allow(self, type: str, path: str | None = None) -> None:  # noqa: A002 - the word of `Leak`
        """Accept values of a type, everywhere or under one path: `allow("EMAIL", "attributes.email")`."""
        self._allowed.append((type, path))

    def leaks(self) -> list[Leak]:
        """Flush, and return what left since the test began, each place once."""
        self._checked += self._exports.take(self._timeout_millis)
        found = (leak for piece in self._checked for leak in self._in_piece(piece))
        return [leak for leak in dict.fromkeys(found) if not self._is_allowed(leak)]

    def check(self) -> None:
        """Flush, and check what left since the last check; the fixture does it when the test is over.

        Raises:
            LeakError: Something sensitive was there.
        """
        leaks = self.leaks()
        left_out, self._exports.left_out = self._exports.left_out, 0
        self._checked.clear()
        if leaks or left_out:
            raise LeakError(leaks, left_out)

    def _is_allowed(self, leak: Leak) -> bool:
        return any(leak.type == type_ and path in (None, leak.path) for type_, path in self._allowed)

    def _in_piece(self, piece: Exported) -> Iterator[Leak]:
        for part, value in piece.values.items():
            for leak in self._in_part(part, value):
                yield Leak(piece.way, *leak)

    def _in_part(self, part: str, value: Any) -> Iterator[tuple[str, str, str]]:
        plain = readable(value)
        if isinstance(plain, dict):
            found = scan("", plain)
        elif isinstance(plain, list):
            found = scan("", {part: plain})
        else:
            found = scan(str(plain), None)
        for finding in found:
            yield self._shown(part, finding.path), finding.type, finding.rule
        for path, text in texts_of(plain, part):
            if path.endswith(f".{_HIDDEN}"):
                # A name is a carrier too; `scan` takes it only as what it says about its value.
                for finding in scan(text):
                    yield self._safe(path), finding.type, finding.rule
            for known in self._watched:
                form = known.form_in(text)
                if form is not None:
                    yield self._safe(path), known.name, form

    def _shown(self, part: str, path: str) -> str:
        rest = path.removeprefix("text").removeprefix("attributes.")
        if rest.startswith(f"{part}."):
            rest = rest.removeprefix(f"{part}.")
        return self._safe(f"{part}.{rest}" if rest and rest != part else part)

    def _safe(self, path: str) -> str:
        sensitive = scan(path) or any(known.form_in(path) for known in self._watched)
        return f"{path.split('.', 1)[0]}.{_HIDDEN}" if sensitive else path


def readable(value: Any) -> Any:
    """Return bytes as the text that they hold, sequences as lists, keys as texts."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(key): readable(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(member) for member in value]
    return value


def texts_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text and number in a value, and every key, with its path."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield f"{path}.{_HIDDEN}", key
            yield from texts_of(member, f"{path}.{key}")
    elif isinstance(value, list):
        if len(value) > 1 and all(isinstance(member, (str, int)) for member in value):
            yield path, " ".join(map(str, value))
        for index, member in enumerate(value):
            yield from texts_of(member, f"{path}.{index}")
    elif value is not None and not isinstance(value, bool):
        yield path, str(value)


@contextmanager
def no_leaks(*, flush_timeout_millis: int = 2_000) -> Iterator[NoLeaks]:
    """Fail when something sensitive leaves the process inside the block.

    What counts: findings of `fapilog.redaction.scan` with `redaction="scan"`, whatever the application's own
    policy is, and values given to `watch()`. What is looked at: records of every kind of exporter, the
    console, the spool, spans and metrics of the SDK, and baggage in the headers that propagators write.

    Args:
        flush_timeout_millis: Longest wait for receivers that do not answer.

    Raises:
        LeakError: At the end of the block, if it ended without an error of its own.

    Example:
        >>> import fapilog
        >>> with no_leaks() as leaks:
        ...     leaks.watch("Ann Example")
        ...     _ = fapilog.get_logger("orders").info("order placed", order_id=42)
    """
    with record_exports() as exports:
        watching = NoLeaks(exports, flush_timeout_millis=flush_timeout_millis)
        yield watching
        watching.check()
