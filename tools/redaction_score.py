"""Score findings on a labelled corpus of log records (JSON lines).

The score does not look at types, because what matters for a log is whether the characters leave the process:

- recall: labelled spans of which at least 90 % of the letters and digits are covered;
- partial: labelled spans that are covered, but less than that;
- precision: findings, joined where they touch, that overlap a labelled span. Findings that lie only on a span
  marked `ignore` count neither way;
- clean altered: records without a labelled span in which something was found;
- over: characters found outside of labelled spans, per thousand characters.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

COVERED_RATIO = 0.9

Record = dict[str, Any]
Interval = tuple[int, int]


@dataclass
class Share:
    """How many of how many."""

    total: int = 0
    hits: int = 0
    partial: int = 0

    def ratio(self) -> float:
        """Hits by total; 1 of nothing."""
        return self.hits / self.total if self.total else 1.0


@dataclass
class Score:
    """What the findings on one corpus are worth."""

    kinds: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    negatives: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    clean: Share = field(default_factory=Share)
    true_findings: int = 0
    false_findings: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    over: int = 0
    leaks: list[tuple[str, str, str]] = field(default_factory=list)
    false_texts: list[tuple[str, str, str]] = field(default_factory=list)
    false_count: int = 0

    def recall(self) -> float:
        """Covered spans by all spans."""
        total = sum(share.total for share in self.kinds.values())
        return sum(share.hits for share in self.kinds.values()) / max(1, total)

    def precision(self) -> float:
        """True findings by all findings."""
        return self.true_findings / max(1, self.true_findings + self.false_count)


def merged(intervals: list[Interval]) -> list[Interval]:
    """Intervals in order, joined where they touch."""
    out: list[Interval] = []
    for start, end in sorted(intervals):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def overlaps(one: Interval, others: list[Interval]) -> bool:
    """Whether one of the others shares a character with it."""
    return any(start < one[1] and one[0] < end for start, end in others)


def texts_of(record: Record) -> dict[str, str]:
    """Every text of a record by its path."""
    attributes = {f"attributes.{key}": str(value) for key, value in record["attributes"].items()}
    return {"text": record["text"], **attributes}


def by_path(spans: list[dict[str, Any]]) -> dict[str, list[Interval]]:
    """Spans as intervals of each path."""
    out: dict[str, list[Interval]] = defaultdict(list)
    for span in spans:
        out[span["path"]].append((span["start"], span["end"]))
    return out


def score(records: list[Record], findings: list[list[list[Any]]]) -> Score:
    """Compare findings, `[path, start, end, type, rule]` for each record, with the labels."""
    result = Score()
    for record, found in zip(records, findings, strict=True):
        add_record(result, record, found)
    return result


def add_record(result: Score, record: Record, found: list[list[Any]]) -> None:
    """Count one record."""
    texts = texts_of(record)
    result.characters += sum(map(len, texts.values()))
    labels, ignored = by_path(record["spans"]), by_path(record["ignore"])
    intervals: dict[str, list[Interval]] = defaultdict(list)
    for path, start, end, *_ in found:
        intervals[path].append((start, end))
    touched = False
    for path, given in intervals.items():
        intervals[path] = merged(given)
        for one in intervals[path]:
            inside = merged(labels[path] + ignored[path])
            result.over += one[1] - one[0] - sum(max(0, min(one[1], e) - max(one[0], s)) for s, e in inside)
            if overlaps(one, labels[path]):
                result.true_findings += 1
            elif not overlaps(one, ignored[path]):
                touched = True
                note_false(result, texts[path], path, one, found)
    add_spans(result, record, texts, intervals)
    if not record["spans"]:
        result.clean.total += 1
        result.clean.hits += touched


def note_false(result: Score, text: str, path: str, one: Interval, found: list[list[Any]]) -> None:
    """Count a finding that no label stands for."""
    result.false_count += 1
    for other, start, end, kind, rule in found:
        if other == path and overlaps(one, [(start, end)]):
            result.false_findings[f"{kind} {rule}"] += 1
            result.false_texts.append((f"{kind} {rule}", path, text[max(0, start - 30) : end + 10]))


def add_spans(
    result: Score, record: Record, texts: dict[str, str], intervals: dict[str, list[Interval]]
) -> None:
    """Count which labelled spans are covered, and which negatives are touched."""
    for span in record["spans"]:
        text, share = texts[span["path"]], result.kinds[span["type"]]
        places = [at for at in range(span["start"], span["end"]) if text[at].isalnum()]
        covered = sum(overlaps((at, at + 1), intervals[span["path"]]) for at in places)
        share.total += 1
        if covered >= COVERED_RATIO * len(places):
            share.hits += 1
        else:
            share.partial += covered > 0
            part = text[max(0, span["start"] - 30) : span["end"] + 10]
            result.leaks.append((span["type"], span["path"], part))
    for span in record["negatives"]:
        share = result.negatives[span["kind"]]
        share.total += 1
        share.hits += overlaps((span["start"], span["end"]), intervals[span["path"]])
