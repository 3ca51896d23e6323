"""Where a batch stands: what is sent next, what waits, what was decided. Thread: delivery loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fapilog import Documents
from fapilog.exporters.http import Body
from fapilog_exporter_elasticsearch.answers import TAKEN, Answer, Fate

# Of different reasons, named in one sentence.
_CAUSES_SHOWN = 3


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        requests: Bulk requests, whatever became of them.
        delivered: Documents that the server has, duplicates and those in a failure store included.
        duplicates: Documents of which an earlier attempt had arrived: refused by their `_id` (409).
        failure_store: Documents that the server could not index and put into its failure store.
        resent: Documents that may have arrived and were sent again.
        dropped: Documents that were given up, by reason.
    """

    requests: int = 0
    delivered: int = 0
    duplicates: int = 0
    failure_store: int = 0
    resent: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


class Progress:
    """The documents of one batch on their way.

    Args:
        documents: Of the batch, with action lines.
        limit_bytes: Of a request.
        records: Of the batch; those without a document are dropped.
    """

    def __init__(self, documents: Documents, limit_bytes: int, records: int) -> None:
        self._limit_bytes = limit_bytes
        self._todo: list[Sequence[int]] = []
        self._again: Sequence[int] = range(len(documents))
        self._documents = documents
        self._delivered = 0
        self._dropped: Counter[str] = Counter(documents.skipped)
        self._dropped["not_encoded"] += records - len(documents) - sum(documents.skipped.values())
        self._causes: dict[str, str] = {}
        self._waits: Answer | None = None

    @property
    def done(self) -> bool:
        """Whether every document is decided."""
        return not self._todo and not self._again

    def begin(self) -> None:
        """A new attempt: what waited is to be sent."""
        again, self._again = self._again, ()
        self._waits = None
        self._todo += reversed(list(self._pieces(again)))

    def next(self) -> Sequence[int] | None:
        """Return the documents of the next request; None: there are no more in this attempt."""
        return self._todo[-1] if self._todo else None

    def body(self, piece: Sequence[int]) -> Body:
        """Return the bytes of these documents, each with its action line."""
        first, last = piece[0], piece[-1]
        if last - first + 1 == len(piece):  # nothing between them was decided
            return self._documents.part(first, last + 1)
        return b"".join(bytes(self._documents.part(each, each + 1)) for each in piece)

    def replace(self, documents: Documents) -> None:
        """Go on with the same documents, encoded in another way."""
        self._documents = documents

    def apply(self, piece: Sequence[int], answer: Answer, said: Statistics) -> None:
        """Note what the server said about a piece, the next one."""
        self._todo.pop()
        if answer.fate is Fate.TOO_LARGE and len(piece) > 1:
            middle = len(piece) // 2
            self._todo += [piece[middle:], piece[:middle]]
        elif answer.fate is Fate.EACH:
            self._each(piece, answer, said)
        else:
            reason = "request_too_large" if answer.fate is Fate.TOO_LARGE else answer.reason
            self._drop(reason, answer.cause, len(piece))

    def report(self) -> tuple[int, Counter[str], str, Answer | None]:
        """Return what was decided since the last report: delivered, dropped, why; and why others wait."""
        delivered, dropped = self._delivered, +self._dropped
        self._delivered, self._dropped = 0, Counter()
        most = [reason for reason, _ in dropped.most_common(_CAUSES_SHOWN)]
        told = "; ".join(f"{dropped[each]} x {self._causes.get(each) or each}" for each in most)
        return delivered, dropped, told, self._waits

    def _pieces(self, chosen: Sequence[int]) -> Iterator[Sequence[int]]:
        """Cut by size; a document over the limit goes alone."""
        if isinstance(chosen, range):
            yield from self._ranges(chosen)
            return
        start = size = 0
        for position, each in enumerate(chosen):
            length = len(self._documents.part(each, each + 1))
            if size and size + length > self._limit_bytes:
                yield chosen[start:position]
                start, size = position, 0
            size += length
        if size:
            yield chosen[start:]

    def _ranges(self, chosen: range) -> Iterator[range]:
        """As `_pieces`, without a look at each document."""
        start, end = chosen.start, chosen.stop
        while start < end:
            cut = self._documents.fitting(start, end, self._limit_bytes, end)
            yield range(start, cut)
            start = cut

    def _each(self, piece: Sequence[int], answer: Answer, said: Statistics) -> None:
        if answer.items.count(TAKEN) == len(piece):
            self._delivered += len(piece)
            return
        again: list[int] = []
        for document, item in zip(piece, answer.items, strict=True):
            if item.fate is Fate.LATER:
                again.append(document)
                # A server that answers document by document is there: no pause but the growing one.
                self._waits = Answer(Fate.LATER, (), item.reason, item.cause, retry_after_millis=0)
            elif item.fate is Fate.REFUSED:
                self._drop(item.reason, item.cause, 1)
            else:
                self._delivered += 1
                said.duplicates += item.fate is Fate.DUPLICATE
                said.failure_store += item.fate is Fate.KEPT_ASIDE
        self._again = [*self._again, *again]

    def _drop(self, reason: str, cause: str, count: int) -> None:
        self._dropped[reason] += count
        self._causes[reason] = cause
