"""Which keys hold values of which types, and how often; never a value. Thread: any.

For a service that runs, `fapilog.Telemetry.inventory` counts what stage 3 hides; for files, `of_lines` counts
the same and the keys that hold nothing sensitive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fapilog.redaction import documents
from fapilog.redaction.explain import Explainer
from fapilog.settings.redaction import RedactionSettings

# Places that are counted each; what is found elsewhere is counted together.
MOST_PLACES = 1_000
# The type of a key under which nothing sensitive was found.
NOTHING = ""
# The type of findings whose type was not counted: two threads counted at once, or there were too many types.
UNKNOWN = "?"


@dataclass(frozen=True)
class Entry:
    """One key and one type.

    Attributes:
        path: The path of the key, without the numbers of members; `body`, `text`. A name that is sensitive
            itself is `*`.
        type: The type, such as `PAN`; "" for a key under which nothing was found.
        count: How often.
    """

    path: str
    type: str
    count: int


@dataclass(frozen=True)
class Inventory:
    """What was found where.

    Attributes:
        entries: Most frequent first.
        elsewhere: Counts at more places than are kept, and at paths that are too long, by type. "": nothing
            was found there; "?": the type was not counted.
        records: Lines or records that were looked at; None: not counted.
    """

    entries: tuple[Entry, ...]
    elsewhere: Mapping[str, int]
    records: int | None = None

    def types(self) -> dict[str, int]:
        """Return how often each type was found, wherever it stood; what is `?` elsewhere is in none of them.

        Example:
            >>> Inventory((Entry("body", "PAN", 2), Entry("note", "PAN", 1)), {"PAN": 4}).types()
            {'PAN': 7}
        """
        counts = Counter(
            {name: count for name, count in self.elsewhere.items() if name not in (NOTHING, UNKNOWN)}
        )
        for entry in self.entries:
            if entry.type:
                counts[entry.type] += entry.count
        return dict(counts.most_common())

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "records": self.records,
            "types": self.types(),
            "entries": [
                {"path": entry.path, "type": entry.type, "count": entry.count} for entry in self.entries
            ],
            "elsewhere": dict(self.elsewhere),
        }

    def __str__(self) -> str:
        rows = [f"{entry.count:>10,}  {entry.path}: {entry.type or '-'}" for entry in self.entries]
        rows += [f"{count:>10,}  elsewhere: {name or '-'}" for name, count in self.elsewhere.items()]
        return "\n".join(rows) or "nothing was found"


class Counting:
    """Counts by place, of bounded size.

    Example:
        >>> counting = Counting(most=1)
        >>> for path in ("a", "b", "a"):
        ...     counting.add(path, "PAN")
        >>> counting.inventory().plain()["entries"], counting.inventory().elsewhere
        ([{'path': 'a', 'type': 'PAN', 'count': 2}], {'PAN': 1})
    """

    def __init__(self, most: int = MOST_PLACES) -> None:
        self._most = most
        self._counts: Counter[tuple[str, str]] = Counter()
        self._elsewhere: Counter[str] = Counter()

    def add(self, path: str, kind: str, count: int = 1) -> None:
        """Count something of a type at a path."""
        place = (path, kind)
        if place in self._counts or len(self._counts) < self._most:
            self._counts[place] += count
        else:
            self._elsewhere[kind] += count

    def add_elsewhere(self, kind: str, count: int) -> None:
        """Count something whose place is not kept."""
        self._elsewhere[kind] += count

    def inventory(self, records: int | None = None) -> Inventory:
        """Return what was counted so far."""
        entries = tuple(Entry(*place, count) for place, count in self._counts.most_common())
        return Inventory(entries, dict(self._elsewhere.most_common()), records)


def of_pipelines(
    counts: Iterable[tuple[Iterable[tuple[str, str, int]], Iterable[tuple[str, int]]]],
) -> Inventory:
    """Add up what native pipelines counted: path, type and count of each place; type and count elsewhere."""
    counting = Counting()
    for places, elsewhere in counts:
        for path, kind, count in places:
            counting.add(path, kind, count)
        for kind, count in elsewhere:
            counting.add_elsewhere(kind, count)
    return counting.inventory()


def of_lines(lines: Iterable[str], settings: RedactionSettings) -> Inventory:
    """Count the keys of lines, and what the policy would hide under them.

    Args:
        lines: JSON objects, OTLP/JSON requests or text, one a line.
        settings: The policy.

    Example:
        >>> lines = ['{"user": {"email": "ann@example.org"}, "order": 1}', '{"order": 2}']
        >>> print(of_lines(lines, RedactionSettings(mode="scan")))
                 2  order: -
                 1  user.email: EMAIL
    """
    counting, explainer, records = Counting(), Explainer(settings, reasons=False), 0
    for line in lines:
        records += 1
        for place, part in documents.parts(documents.read(line).value):
            if isinstance(part, str):
                found = [(each.path, each.type) for each in explainer.text(part, place or "text")]
                named = {place or "text"}
            else:
                found = [(each.path, each.type) for each in explainer.attributes(part, place)]
                named = set(_names(part, place))
            for path, kind in found:
                counting.add(path, kind)
            for path in named - {path for path, _ in found}:
                if not any(True for _ in explainer.text(path)):
                    counting.add(path, NOTHING)
    return counting.inventory(records)


def _names(value: Mapping[str, Any], place: str) -> Iterable[str]:
    """The paths of the leaves, without the numbers of members."""
    for key, member in value.items():
        path = f"{place}.{key}" if place else str(key)
        inner = [each for each in member if isinstance(each, Mapping)] if isinstance(member, list) else []
        if isinstance(member, Mapping) and member:
            yield from _names(member, path)
        elif inner:
            for each in inner:
                yield from _names(each, path)
        else:
            yield path
