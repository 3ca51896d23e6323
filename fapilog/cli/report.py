"""How commands print: titles, a table of received records, the ledger written out as its two equations."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import typer

from fapilog.diagnostics import one_line
from fapilog.ledger import Ledger
from fapilog.severity import Severity
from fapilog.testing import ReceivedLogRecord

_HEAD = ("severity", "scope", "trace", "body", "attributes")
_WIDTHS = (8, 14, 8, 34)
_NARROWEST_COLUMNS = 100
# Attributes of every record, or too long for one line: counted in the table, not shown.
_QUIET = (
    "fapilog.sequence",
    "exception.stacktrace",
    "code.file.path",
    "code.line.number",
    "code.function.name",
)


def title_writer(*, colour: bool) -> Callable[[str], None]:
    """Return a function that prints a section's title."""

    def title(text: str) -> None:
        typer.echo(f"\n{typer.style(text, bold=True) if colour else text}\n{'-' * len(text)}")

    return title


def records_table(records: Sequence[ReceivedLogRecord]) -> str:
    """Return one line per record in the order of the calls, as wide as the terminal; long cells are cut.

    Example:
        >>> print(records_table([ReceivedLogRecord(severity_number=9, body="started")]))
        severity  scope           trace     body                                attributes
        INFO                      -         started
    """
    columns = max(shutil.get_terminal_size((140, 24)).columns, _NARROWEST_COLUMNS)
    in_order = sorted(records, key=lambda record: record.attributes.get("fapilog.sequence", 0))
    rows = [_HEAD, *(_row(record) for record in in_order)]
    return "\n".join(_line(row, columns) for row in rows)


def _row(record: ReceivedLogRecord) -> tuple[str, ...]:
    shown = [f"{key}={_text(value)}" for key, value in record.attributes.items() if key not in _QUIET]
    hidden = len(record.attributes) - len(shown)
    if hidden:
        shown.append(f"(+{hidden})")
    severity = Severity(record.severity_number).text if record.severity_number else "-"
    return severity, record.scope_name, record.trace_id[:8] or "-", _text(record.body), " ".join(shown)


def _text(value: Any) -> str:
    return one_line(value if isinstance(value, str) else repr(value))


def _line(cells: Sequence[str], columns: int) -> str:
    fixed = [_cut(cell, width).ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    rest = _cut(cells[-1], columns - sum(_WIDTHS) - 2 * len(_WIDTHS))
    return "  ".join([*fixed, rest]).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def ledger_lines(ledger: Ledger) -> str:
    """Return both equations of the ledger, in words and in numbers, the second one for every exporter.

    Example:
        >>> from fapilog.ledger import ExporterLedger
        >>> print(ledger_lines(Ledger(3, 1, {}, 2, 0, {"otlp": ExporterLedger(2, 2, 0, {}, 0)})))
        offered = filtered + refused + accepted
              3 =        1 +       0 +        2
        <BLANKLINE>
        otlp: accepted + adopted = delivered + rejected + dropped + pending
                     2 +       0 =         2 +        0 +       0 +       0
    """
    refused, dropped = (
        _sum(ledger.refused),
        {name: _sum(side.dropped) for name, side in ledger.exporters.items()},
    )
    first = ("offered", "=", "filtered", "+", "refused", "+", "accepted")
    parts = [_aligned(first, (ledger.offered, ledger.filtered, refused, ledger.accepted))]
    second = ("accepted", "+", "adopted", "=", "delivered", "+", "rejected", "+", "dropped", "+", "pending")
    for name, side in ledger.exporters.items():
        numbers = (side.accepted, side.adopted, side.delivered, side.rejected, dropped[name], side.pending)
        parts.append(_aligned((f"{name}: {second[0]}", *second[1:]), numbers))
    return "\n\n".join(parts)


def _sum(counts: Any) -> int:
    return sum(counts.values())


def _aligned(words: Sequence[str], numbers: Sequence[int]) -> str:
    waiting = iter(numbers)
    below = [word if word in ("+", "=") else f"{next(waiting):,}".rjust(len(word)) for word in words]
    return f"{' '.join(words)}\n{' '.join(below)}"
