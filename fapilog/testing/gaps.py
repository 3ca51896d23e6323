"""Which records are missing, and which came twice, by the numbers that fapilog gives them.

Each record carries `fapilog.sequence`, counted from 0 in each process and pipeline. Accepted records take a
number, and those that are shed or dropped take one too: what is lost leaves a gap where the records end up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_SEQUENCE = "fapilog.sequence"
# What tells one process from another without a `service.instance.id`: a pid only within its host.
_IDENTITIES = ("host.name", "process.pid")


@dataclass(frozen=True)
class Sequence:
    """The numbers that arrived of one process.

    Attributes:
        service: `service.name` of the resource.
        instance: `service.instance.id`, or what identifies the process otherwise; empty: nothing does.
        records: Records with a number, those that came twice counted twice.
        first: Lowest number; what is missing before it cannot be told from records of another file.
        last: Highest number.
        gaps: Ranges of missing numbers between the two, both ends included.
        duplicates: Numbers that came more than once.
        unnumbered: Records without a number: `sequence` was off, or another library wrote them.
    """

    service: str
    instance: str
    records: int
    first: int
    last: int
    gaps: tuple[tuple[int, int], ...]
    duplicates: tuple[int, ...]
    unnumbered: int = 0

    @property
    def missing(self) -> int:
        """How many numbers are missing."""
        return sum(last - first + 1 for first, last in self.gaps)

    @property
    def complete(self) -> bool:
        """Whether every number between the first and the last came once."""
        return not self.gaps and not self.duplicates


def find_gaps(lines: Iterable[str | bytes]) -> list[Sequence]:
    """Name gaps and duplicates in OTLP JSON lines, process by process.

    Args:
        lines: One `LogsData` document each, as fapilog's file exporter and the Collector's write them; empty
            lines are skipped. Their order does not matter.

    Raises:
        ValueError: A line is not OTLP JSON; the message has its number.

    Example:
        >>> def line(*numbers):
        ...     records = [
        ...         {"attributes": [{"key": "fapilog.sequence", "value": {"intValue": str(number)}}]}
        ...         for number in numbers
        ...     ]
        ...     return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
        >>> [found] = find_gaps([line(0, 1, 4), line(2, 7, 7)])
        >>> found.gaps, found.duplicates, found.missing
        (((3, 3), (5, 6)), (7,), 3)
    """
    numbers: dict[tuple[str, str], list[int]] = {}
    unnumbered: dict[tuple[str, str], int] = {}
    for process, number in _numbers(lines):
        found = numbers.setdefault(process, [])
        if number is None:
            unnumbered[process] = unnumbered.get(process, 0) + 1
        else:
            found.append(number)
    return [_sequence(*process, found, unnumbered.get(process, 0)) for process, found in numbers.items()]


def _numbers(lines: Iterable[str | bytes]) -> Iterator[tuple[tuple[str, str], int | None]]:
    for count, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield from list(_of_document(json.loads(line)))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"line {count} is not OTLP JSON: {error}") from error


def _of_document(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int | None]]:
    for resource_logs in document["resourceLogs"]:
        resource = _attributes(resource_logs.get("resource", {}))
        identity = " ".join(str(resource[name]) for name in _IDENTITIES if name in resource)
        instance = resource.get("service.instance.id", identity)
        process = (str(resource.get("service.name", "")), str(instance))
        for scope_logs in resource_logs.get("scopeLogs", ()):
            for record in scope_logs.get("logRecords", ()):
                number = _attributes(record).get(_SEQUENCE)
                yield process, None if number is None else int(number)


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    pairs = holder.get("attributes", ())
    return {pair["key"]: next(iter(pair.get("value", {}).values()), None) for pair in pairs}


def _sequence(service: str, instance: str, numbers: list[int], unnumbered: int) -> Sequence:
    ordered = sorted(numbers)
    steps = list(pairwise(ordered))
    return Sequence(
        service=service,
        instance=instance,
        records=len(ordered),
        first=ordered[0] if ordered else 0,
        last=ordered[-1] if ordered else -1,
        gaps=tuple((before + 1, after - 1) for before, after in steps if after > before + 1),
        duplicates=tuple(dict.fromkeys(after for before, after in steps if after == before)),
        unnumbered=unnumbered,
    )
