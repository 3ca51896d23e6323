"""Stage 3 for files: lines without what is hidden, and what was found in them. Thread: any."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from fapilog.redaction import documents
from fapilog.redaction.explain import Explained, Explainer
from fapilog.redaction.redactor import UNSCANNED, Redactor
from fapilog.settings.redaction import RedactionSettings

# A longer one is not read whole; in pieces, a value could be cut in two and be missed.
MAX_LINE_BYTES = 16 * 1024 * 1024
# Half of a character: JSON can escape it, and UTF-8 cannot write it.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class LineRedactor:
    """Hides in lines what stage 3 hides in records.

    JSON objects are taken as attributes, OTLP/JSON as the records that it holds, anything else as text. A
    line in which nothing is hidden comes back as it is; of names that stand twice in one object the last
    stays, as readers of JSON have it. A line that is nested too deeply to be read is a marker.

    Args:
        settings: The policy.

    Example:
        >>> redactor = LineRedactor(RedactionSettings(mode="scan"))
        >>> redactor.line('{"note": "paid with 4111 1111 1111 1111", "password": "x"}')
        '{"note":"paid with [REDACTED:pan]","password":"[REDACTED:secret]"}'
        >>> redactor.line("mail to ann@example.org")
        'mail to [REDACTED:email]'
    """

    def __init__(self, settings: RedactionSettings) -> None:
        self._redactor = Redactor(settings)

    def line(self, line: str) -> str:
        """Return one line, without its end, without what is hidden."""
        try:
            return self._line(line)
        except RecursionError:
            return UNSCANNED

    def _line(self, line: str) -> str:
        document = documents.read(line)
        if not document.is_json:
            return self._redactor.text(line)
        left = documents.rewritten(document.value, self._redactor.attributes, self._redactor.text)
        if left == document.value and document.is_exact:
            return line
        written = json.dumps(left, ensure_ascii=False, separators=(",", ":"), default=str)
        return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", written)


def read_lines(source: BinaryIO) -> Iterator[tuple[str | None, int]]:
    """Read lines with bounded memory.

    Yields:
        The line without its end, None for one of more than 16 MiB; and how many bytes it took in the source.
    """
    while piece := source.readline(MAX_LINE_BYTES + 1):
        read = len(piece)
        if piece.endswith(b"\n") or read <= MAX_LINE_BYTES:
            yield piece.rstrip(b"\r\n").decode("utf-8", "replace"), read
            continue
        while piece and not piece.endswith(b"\n"):
            piece = source.readline(MAX_LINE_BYTES)
            read += len(piece)
        yield None, read


def redacted(line: str | None, redactor: LineRedactor) -> str:
    """Return a line of `read_lines` without what is hidden; one that is too long is a marker."""
    return UNSCANNED if line is None else redactor.line(line)


def findings(line: str, explainer: Explainer) -> Iterator[Explained]:
    """Yield what is hidden in a line, and why; paths begin with the name of the field."""
    with suppress(RecursionError):
        for place, part in documents.parts(documents.read(line).value):
            if isinstance(part, str):
                found: Iterable[Explained] = explainer.text(part, place or "text")
            else:
                found = explainer.attributes(part, place)
            yield from found


def differences(line: str, one: Explainer, other: Explainer) -> tuple[Counter[str], Counter[str]]:
    """Count what only one of two policies hides in a line, by `type path`."""
    first = Counter(f"{each.type} {each.path}" for each in findings(line, one))
    second = Counter(f"{each.type} {each.path}" for each in findings(line, other))
    return first - second, second - first
