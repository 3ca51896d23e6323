"""A printed traceback as Sentry's exceptions: a pure function. Thread: one for each batch.

A record carries the text that Python prints, oldest exception first, which is Sentry's order too. What this
does not understand (groups, other languages) stays a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_CHAINED = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)
_HEAD = "Traceback (most recent call last):"
_FRAME = re.compile(r'  File "(?P<path>.*)", line (?P<line>\d+), in (?P<function>.*)')
_LAST_LINE = re.compile(r"(?P<type>[^\W\d][\w.<>-]*)(?:: (?P<value>.*))?", re.DOTALL)
_OF_OTHERS = ("site-packages", "dist-packages", "/lib/python", "<frozen ")


def exceptions(stack: str) -> list[dict[str, Any]]:
    """Return the exceptions of a printed traceback; empty: it is none.

    Example:
        >>> lines = [_HEAD, '  File "a.py", line 3, in f', "    g()", "shop.Full: no room"]
        >>> [found] = exceptions("\\n".join(lines))
        >>> found["module"], found["type"], found["stacktrace"]["frames"][0]["lineno"]
        ('shop', 'Full', 3)
    """
    if _HEAD not in stack:
        return []
    found = [_exception(part) for part in _CHAINED.split(stack.strip("\n"))]
    return [] if None in found else [each for each in found if each is not None]


def described(kind: str, value: str) -> dict[str, Any]:
    """Return an exception without its frames."""
    module, _, name = kind.rpartition(".")
    return {"type": name, "value": value} | ({"module": module} if module else {})


def _exception(text: str) -> dict[str, Any] | None:
    lines = text.split("\n")
    frames: list[dict[str, Any]] = []
    if lines[0] == _HEAD:
        inner = next(
            (number for number, line in enumerate(lines[1:], 1) if not line.startswith("  ")), len(lines)
        )
        frames, lines = list(_frames(lines[1:inner])), lines[inner:]
    last = _LAST_LINE.fullmatch("\n".join(lines))
    if last is None:
        return None
    found = described(last["type"], last["value"] or "")
    return found | ({"stacktrace": {"frames": frames}} if frames else {})


def _frames(lines: list[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines):
        match = _FRAME.fullmatch(line)
        if match is None:
            continue
        path = match["path"]
        frame: dict[str, Any] = {
            "filename": path,
            "function": match["function"],
            "lineno": int(match["line"]),
            "in_app": not any(part in path for part in _OF_OTHERS),
        }
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if following.startswith("    "):
            frame["context_line"] = following[4:]
        yield frame
