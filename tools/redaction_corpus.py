"""The labelled corpus, what fapilog finds in it, and the shares that the goals are about."""

from __future__ import annotations

import json
import lzma
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from fapilog import _native
from fapilog.redaction import scan
from tools.redaction_score import Record, Score, Share, score

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "data" / "redaction_corpus.jsonl.xz"
_KINDS = {kind: (group, tier) for kind, _, group, tier in _native.scan_kinds()}
# Only the sentence around a place tells that it is one.
CONTEXT_TIER = "C"

Findings = list[list[Any]]


class Goal(NamedTuple):
    """A bound that fapilog should keep."""

    name: str
    measured: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def __str__(self) -> str:
        sign = "at least" if self.at_least else "at most"
        return (
            f"{self.name}: {self.measured:.2%}, goal {sign} {self.bound:.0%}{'' if self.met else ', MISSED'}"
        )


def read(path: Path = CORPUS) -> list[Record]:
    """Read a corpus of JSON lines, compressed or not."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    return [json.loads(line) for line in data.splitlines()]


def find(records: Iterable[Record]) -> list[Findings]:
    """What `fapilog.redaction.scan` finds in each record."""
    return [[list(one) for one in scan(record["text"], record["attributes"])] for record in records]


def seconds(records: list[Record], rounds: int = 5) -> float:
    """The best time of one record through `scan`, Python included."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for record in records:
            scan(record["text"], record["attributes"])
        best = min(best, time.perf_counter() - start)
    return best / len(records)


def judged(records: list[Record]) -> Score:
    """The score of fapilog as it is installed."""
    return score(records, find(records))


def total(kinds: dict[str, Share], wanted: Iterable[str]) -> Share:
    """The share of some types together."""
    shares = [kinds[kind] for kind in wanted]
    return Share(*(sum(getattr(share, name) for share in shares) for name in ("total", "hits", "partial")))


def tier(kind: str) -> str:
    """`A` and `B`: prefix, shape or checksum; `C`: only context tells."""
    return _KINDS[kind][1]


def groups(kinds: dict[str, Share]) -> dict[str, Share]:
    """Recall by group of types."""
    names = sorted({_KINDS[kind][0] for kind in kinds})
    return {name: total(kinds, [kind for kind in kinds if _KINDS[kind][0] == name]) for name in names}


def goals(found: Score) -> list[Goal]:
    """What was promised, beside what was measured."""
    context = [kind for kind in found.kinds if tier(kind) == CONTEXT_TIER]
    checked = [kind for kind in found.kinds if tier(kind) != CONTEXT_TIER]
    return [
        Goal("recall of types with a checksum or a prefix", total(found.kinds, checked).ratio(), 0.98, True),
        Goal("recall of types that only context tells", total(found.kinds, context).ratio(), 0.90, True),
        Goal("precision", found.precision(), 0.97, True),
        Goal("clean records altered", found.clean.ratio(), 0.01, False),
    ]
